#pragma once

#include "actors/core/torrent_session.hpp"
#include "config/config.hpp"

namespace ezio
{

/// Reads the torrent file of a [[torrent]] entry and makes the request that adds it. io_error if it cannot be
/// read, invalid_torrent if it is larger than a torrent may be.
result<add_request> to_add_request(torrent_entry const &entry);

} // namespace ezio
