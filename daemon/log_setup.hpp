#pragma once

#include "actors/core/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace spdlog
{
class logger;
}

namespace ezio
{

/// Where and how the daemon logs.
struct log_options {
	std::string level = "info";
	std::vector<std::string> levels; ///< "component=level"
	bool is_json = false;            ///< one object a line: time, level, component, message
	std::string file;                ///< appended to; empty: stderr
};

/// Creates one logger per component of the configuration schema, registered under its name
/// (spdlog::get("session")). Call it once, before any other thread logs. Fails if the file cannot be opened.
result<void> open_log(log_options const &options);

/// Changes levels while running; from any thread. errc::out_of_range for an unknown level or component.
result<void> set_log_levels(std::string const &level, std::vector<std::string> const &levels);

/// The logger of a component; never null after open_log().
std::shared_ptr<spdlog::logger> component_log(std::string const &component);

} // namespace ezio
