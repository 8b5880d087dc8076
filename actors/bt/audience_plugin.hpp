#pragma once

#include "actors/core/piece_audience.hpp"

#include <libtorrent/extensions.hpp>

#include <memory>

namespace ezio
{

/// Tells an audience what the connected peers of a torrent have, and the peers what is offered: a piece that
/// the cache is about to forget is suggested (BEP 6) to those that lack it, so that they ask for it while it
/// needs no read of the device. One for each torrent; used by the network thread alone.
std::shared_ptr<lt::torrent_plugin> make_audience_plugin(std::shared_ptr<piece_audience> audience);

} // namespace ezio
