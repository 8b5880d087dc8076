#pragma once

#include "actors/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

struct option_info {
	std::string_view name;  ///< "--sort"
	std::string_view alias; ///< "-o", or empty
	std::string_view value; ///< "KEY"; empty: a switch; "[SEC]": the value may be left out if it is no number
	bool is_repeatable = false;
	std::string_view help;
};

struct command_info {
	std::string_view name;
	std::string_view operands; ///< "TORRENT TARGET", as help shows it
	std::size_t operands_min = 0;
	std::size_t operands_max = 0;
	std::span<option_info const> options;
	std::string_view help;    ///< one line
	std::string_view details; ///< more lines, or empty
};

inline constexpr std::size_t operands_unlimited = SIZE_MAX;

/// The one table of verbs: parser, --help and docs/cli.md come from it.
std::span<command_info const> commands();
std::span<option_info const> global_options();

/// A command line that has the form of its verb.
struct invocation {
	command_info const *command = nullptr; ///< null: only help was asked for
	std::vector<std::string> operands;
	std::map<std::string, std::vector<std::string>, std::less<>> options; ///< by long name; a switch has ""
	bool is_help = false;

	bool has(std::string_view option) const { return options.find(option) != options.end(); }
	/// The last value given, or nothing.
	std::optional<std::string> value(std::string_view option) const;
	std::vector<std::string> values(std::string_view option) const;
	/// errc::invalid_argument if the value is no integer of that range.
	result<std::optional<std::int64_t>> integer(
		std::string_view option, std::int64_t least, std::int64_t most) const;
	/// Positive, possibly fractional seconds.
	result<std::optional<double>> seconds(std::string_view option) const;
};

/// @p arguments without the program's name. Any fault is errc::invalid_argument with a hint where to look.
result<invocation> parse_command_line(std::span<std::string const> arguments);

/// `ezioctl --help`, or that of one verb.
std::string help_text(command_info const *command);
/// The part of docs/cli.md that is generated: one section a verb.
std::string help_markdown();

} // namespace ezio::ctl
