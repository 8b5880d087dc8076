#pragma once

#include "config/load.hpp"
#include "config/toml_tree.hpp"

#include <string>

namespace ezio
{

/// Walks a parsed file once: puts every right value into the report's configuration and notes every fault,
/// in the order of lines.
void read_config(
	toml_node const &root, std::string const &file, foreign_key_check const &foreign, load_report &report);

} // namespace ezio
