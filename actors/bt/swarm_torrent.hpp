#pragma once

#include "actors/bt/receive_room.hpp"
#include "actors/core/peer_roster.hpp"
#include "actors/core/piece_audience.hpp"
#include "actors/core/piece_spreader.hpp"
#include "actors/core/unreadable_pieces.hpp"

#include <libtorrent/extensions.hpp>
#include <libtorrent/torrent_handle.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

namespace ezio
{

class swarm_peer;

/// What a torrent's part in a swarm depends on.
struct swarm_role {
	std::int32_t pieces = 0;
	bool is_source = false;  ///< it was added with all bytes: directs who takes which piece from it
	bool tells_peers = true; ///< PEX is on, and the torrent is not private
	std::shared_ptr<piece_audience> audience;            ///< is told what connected peers have; must be there
	std::shared_ptr<unreadable_pieces const> unreadable; ///< which a source does not give to anybody
	std::shared_ptr<receive_room> room;                  ///< of all connections of the session; must be there
};

/// What we know of a torrent's peers and tell them; a libtorrent plugin, one for each torrent.
///
/// What the audience was offered is suggested (BEP 6) to the peers that lack it, so that they ask for it
/// while it needs no read of the device; by a source that directs only to those that should not rather get it
/// from each other.
///
/// Between our own nodes it extends the BitTorrent protocol; peers that do not speak it notice nothing. Both
/// sides name "ez_roster" in the extension handshake, under whose number peers send each other lists of
/// peers (see peer_roster); a newcomer's first list comes as a message of peer exchange. A source says
/// "ez_source" too: a node then takes no notice of the source's first bitfield, the source sends it a plain
/// "have" for each piece that it is to take or may have too (see piece_spreader), and, once every piece
/// exists elsewhere, "have all".
///
/// Network thread only.
class swarm_torrent final : public lt::torrent_plugin, public std::enable_shared_from_this<swarm_torrent>
{
public:
	swarm_torrent(lt::torrent_handle torrent, swarm_role role);

	std::shared_ptr<lt::peer_plugin> new_connection(lt::peer_connection_handle const &peer) override;
	void tick() override;
	void on_state(lt::torrent_status::state_t state) override;

	swarm_role const &role() const { return m_role; }
	piece_audience &audience() { return *m_role.audience; }
	peer_roster &roster() { return m_roster; }
	/// Null in a node that is no source.
	piece_spreader *spreader() { return m_spreader ? &*m_spreader : nullptr; }
	bool is_complete() const { return m_is_complete || m_role.is_source; }
	bool is_directing() const { return m_spreader && !m_spreader->is_done(); }

	/// Tells peers what they are to take now; all of them, once, that they may take anything. Nothing in a
	/// node that is no source.
	void direct();
	/// To be called once, before the peer's end.
	void leave(swarm_peer const &peer);
	/// Connects to those that a peer's message names.
	void connect(std::span<char const> message, bool via_loopback);
	void suggest_offers();

private:
	lt::torrent_handle m_torrent;
	swarm_role m_role;
	bool m_is_complete = false;
	bool m_is_open = false; ///< all peers were told that they may take anything
	int m_ticks = 0;
	std::uint64_t m_last_peer = 0;
	std::optional<piece_spreader> m_spreader;
	unreadable_watch m_unreadable; ///< of which the spreader knows
	peer_roster m_roster;
	std::map<std::uint64_t, swarm_peer *> m_peers; ///< each leaves by itself
};

} // namespace ezio
