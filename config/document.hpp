#pragma once

#include "config/schema.hpp"

#include <string>

namespace ezio
{

/// config/eziod.toml: every key, commented out, with its help and default.
std::string render_default_toml();

/// The table of keys in docs/config.md.
std::string render_markdown();

/// The table of the keys of [[torrent]] there.
std::string render_torrent_markdown();

/// The keys as `eziod --help` lists them, in at most 100 columns.
std::string render_help();

} // namespace ezio
