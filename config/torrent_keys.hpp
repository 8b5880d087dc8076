#pragma once

#include "config/config.hpp"
#include "config/schema.hpp"

#include <span>
#include <string_view>

namespace ezio
{

/// The keys of a [[torrent]] entry, in the order of documentation; their table is "torrent". The only home of
/// their names, defaults, bounds and help.
std::span<schema_row const> torrent_keys();

/// The row of a key; null if there is none.
schema_row const *find_torrent_key(std::string_view key);

/// Sets what `add` can limit or order: a key of torrent_keys() behind "peers". @p value was judged by its
/// row.
void assign_torrent_key(torrent_entry &entry, schema_row const &row, setting_value const &value);

} // namespace ezio
