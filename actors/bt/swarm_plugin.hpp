#pragma once

#include <libtorrent/fwd.hpp>

#include <cstdint>
#include <memory>

namespace ezio
{

/// What a torrent's part in a swarm of ours depends on.
struct swarm_role {
	std::int32_t pieces = 0;
	bool is_source = false;  ///< it was added with all bytes: directs who takes which piece from it
	bool tells_peers = true; ///< PEX is on, and the torrent is not private
};

/// Our extension of the BitTorrent protocol, per torrent; peers that do not speak it notice nothing.
///
/// Both sides name "ez_roster" in the extension handshake, under whose number peers send each other lists of
/// peers (see peer_roster); a newcomer's first list comes as a message of peer exchange. A source says
/// "ez_source" too: a node then takes no notice of the source's first bitfield, the source sends it a plain
/// "have" for each piece that it is to take (see piece_spreader), and, once every piece exists elsewhere,
/// "have all".
///
/// libtorrent calls it, on its network thread.
std::shared_ptr<lt::torrent_plugin> make_swarm_plugin(lt::torrent_handle const &torrent, swarm_role role);

} // namespace ezio
