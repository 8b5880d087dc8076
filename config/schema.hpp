#pragma once

#include "actors/core/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ezio
{

/// What a key holds. size, rate and duration are integers in the row's unit; as text they may also carry a
/// unit ("2GiB", "10MiB/s", "250ms") if the amount is a whole number of the row's unit.
enum class setting_type : std::uint8_t { boolean, integer, size, rate, duration, word, string, string_list };

/// "boolean", "integer", "size", "rate", "duration", "word", "string", "list".
std::string_view to_string(setting_type type);

/// The word "auto": the daemon chooses by device and number of cores.
struct automatic {
	friend constexpr bool operator==(automatic, automatic) = default;
};

/// bool: boolean. int64: integer, size, rate, duration. string: word, string. vector: string_list.
/// automatic: only where the row says so.
using setting_value = std::variant<automatic, bool, std::int64_t, std::string, std::vector<std::string>>;

/// When a changed value takes effect: at once, or when the daemon is started again.
enum class setting_effect : std::uint8_t { live, restart };

/// Says whether a string (or one item of a list) may be this key's value; the error's message is a reason
/// ("no port"). Pure.
using text_check = result<void> (*)(std::string_view);

/// One key of the configuration file. This table is the only home of names, defaults, bounds and help.
struct schema_row {
	std::string_view table; ///< "disk"
	std::string_view key;   ///< "cache-size"; unique over all tables
	setting_type type;
	setting_effect effect;
	std::string_view unit = {};         ///< "MiB", "KiB/s", "ms"; empty for a plain number or text
	std::string_view default_text = {}; ///< canonical text
	std::int64_t min = 0;               ///< numbers only; in the row's unit
	std::int64_t max = 0;
	bool is_auto_allowed = false;
	std::string_view words = {};      ///< word only: the allowed words, separated by one space
	std::string_view shape = {};      ///< string and string_list: what the text (an item) must look like
	text_check check = nullptr;       ///< string and string_list: enforces shape
	std::string_view help = {};       ///< one sentence
	std::string_view unset_help = {}; ///< what 0 or an empty text means, if it is special
};

/// All keys, in the order of documentation; keys of one table stand together.
std::span<schema_row const> schema();

/// The row of "cache-size" or "disk.cache-size"; null if there is none.
schema_row const *find_row(std::string_view key);

/// The known name that a mistyped one resembles most ("cach-size" -> "cache-size"); empty if none is close.
std::string_view closest_name(std::string_view name, std::span<std::string_view const> known);

/// "64 to 1048576 MiB, or auto"; "one of: trace, debug, ..."; "true or false".
std::string allowed_text(schema_row const &row);

/// The default as a value.
setting_value default_value(schema_row const &row);

/// The text form of a value, as `get` prints it: "2048", "auto", "true", "a,b" (a comma or backslash inside
/// an item is preceded by a backslash).
std::string canonical_text(setting_value const &value);

/// The value that @p text means for this row. Fails with errc::out_of_range; the message names the key and
/// what is allowed. parse_value(row, canonical_text(v)) gives v for every allowed v.
result<setting_value> parse_value(schema_row const &row, std::string_view text);

/// Whether a value is allowed for this row; errors as parse_value.
result<void> check_value(schema_row const &row, setting_value const &value);

/// The same two, but the message is the bare reason ("12 is too small"), for a caller that prints key and
/// allowed_text itself.
result<setting_value> read_value(schema_row const &row, std::string_view text);
result<void> judge_value(schema_row const &row, setting_value const &value);

/// Limits of what a string or a list may hold.
inline constexpr std::size_t setting_text_bytes_max = 4096;
inline constexpr std::size_t setting_list_items_max = 64;
inline constexpr std::size_t setting_item_bytes_max = 1024;

/// The words of log.level, and the components that log.levels may name.
std::span<std::string_view const> log_level_names();
std::span<std::string_view const> log_component_names();

} // namespace ezio
