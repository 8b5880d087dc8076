#pragma once

#include "actors/core/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

/// The command line of eziod.
struct options {
	enum class action : std::uint8_t { run, check_config, print_version, print_help };

	action what = action::run;
	std::string config_path; ///< empty: defaults only
};

/// Reads the arguments (without the program's name). Pure: prints nothing, opens nothing.
/// errc::invalid_argument with one sentence for the operator if they cannot be right.
result<options> parse_options(std::vector<std::string> const &arguments);

/// What `eziod --help` prints: usage, and every key with its default, range and effect.
std::string help_text();

} // namespace ezio
