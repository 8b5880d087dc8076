#pragma once

#include "actors/core/unreadable_pieces.hpp"

#include <libtorrent/fwd.hpp>

#include <memory>

namespace ezio
{

/// Keeps peers from asking for what the device does not give back: says "don't have" (BEP 54, "lt_donthave")
/// of each unreadable piece to every peer, newcomers included, and "have" when it has been read again.
///
/// Once a read has failed, every further piece is tried with one block first, before the rest of a peer's
/// requests for it is let through to the disk: libtorrent drops a peer after a hundred failed reads in a row,
/// which are the blocks of one or two pieces. Requests that are not let through are rejected, so that peers
/// ask again or elsewhere. Peers without the fast extension (BEP 6) or without BEP 54 are left to libtorrent.
///
/// libtorrent calls it, on its network thread.
std::shared_ptr<lt::torrent_plugin> make_unreadable_plugin(std::shared_ptr<unreadable_pieces const> pieces);

} // namespace ezio
