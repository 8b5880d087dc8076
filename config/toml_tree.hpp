#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// A place in a text: line and column from 1; a column counts code points.
struct toml_position {
	std::uint32_t line = 0;
	std::uint32_t column = 0;

	friend auto operator<=>(toml_position const &, toml_position const &) = default;
};

struct toml_member;

/// A TOML value with its place, so that faults can name lines and edits can keep the rest of the file.
struct toml_node {
	enum class kind : std::uint8_t { boolean, integer, string, other, array, table };

	kind what = kind::other; ///< other: a floating-point number, a date or a time, which no key takes
	bool flag = false;
	std::int64_t number = 0;
	std::string text;
	std::vector<toml_node> items;     ///< array
	std::vector<toml_member> members; ///< table; in the order of the file
	toml_position begin;              ///< of a table: its header, its brace, or its first dotted key
	toml_position end;                ///< one past the last character
};

struct toml_member {
	std::string key;
	toml_position key_at;
	toml_node value;
};

/// Why a text is not TOML.
struct toml_fault {
	toml_position at;
	std::string message;
};

/// The tree, or the first fault.
struct toml_outcome {
	toml_node root;
	std::optional<toml_fault> fault;
};

/// Brackets within brackets, or names joined by dots, deeper than this are a fault: trees are walked and
/// freed recursively.
inline constexpr std::uint32_t toml_nesting_max = 32;

/// The only function that uses the TOML library. Never throws.
toml_outcome parse_toml(std::string_view text);

/// The member of a table; null if there is none or the node is no table.
toml_node const *find_member(toml_node const &table, std::string_view key);

/// Whether two values are the same, wherever and in whatever order they stand.
bool is_same(toml_node const &a, toml_node const &b);

} // namespace ezio
