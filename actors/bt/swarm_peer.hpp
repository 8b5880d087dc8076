#pragma once

#include "actors/bt/receive_room.hpp"
#include "actors/core/piece_set.hpp"

#include <libtorrent/extensions.hpp>
#include <libtorrent/peer_connection_handle.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace ezio
{

class swarm_torrent;

/// One connection of a swarm_torrent; a libtorrent plugin. Keeps what the peer has, the only record of it
/// that we have. Network thread only.
class swarm_peer final : public lt::peer_plugin
{
public:
	swarm_peer(std::shared_ptr<swarm_torrent> swarm, lt::peer_connection_handle peer, std::uint64_t id);
	~swarm_peer() override { leave(); }

	lt::string_view type() const override { return "ezio"; }
	void add_handshake(lt::entry &handshake) override;
	bool on_handshake(lt::span<char const> reserved) override;
	bool on_extension_handshake(lt::bdecode_node const &handshake) override;
	bool on_extended(int length, int number, lt::span<char const> body) override;
	void on_disconnect(lt::error_code const &) override { leave(); }
	bool on_have(lt::piece_index_t piece) override;
	bool on_bitfield(lt::bitfield const &pieces) override;
	bool on_have_all() override;
	bool on_request(lt::peer_request const &request) override;
	bool can_disconnect(lt::error_code const &reason) override;
	void sent_payload(int) override;

	std::uint64_t id() const { return m_id; }
	piece_set const &had() const { return m_had; }

	/// Says that it may take the piece from us.
	void show(piece_index piece);
	/// Shows all pieces, once, if we direct it.
	void open();
	/// Whom we direct is shown the piece as well, for good. Nothing if the peer has the piece, does not know
	/// such messages, or is directed and should rather get the piece from others.
	void suggest(piece_index piece);
	void send_roster();

private:
	void add(piece_index piece);
	void add_all();
	void leave();
	/// A message of peer exchange (BEP 11), on which libtorrent connects at once; to those that connect_peer
	/// names only at its next second. Once a connection, since too many are taken for a flood.
	void send_pex();
	void send_extended(std::uint8_t number, std::span<char const> body);
	void send(std::vector<char> const &message);
	/// Is this the bitfield of a source that directs us?
	bool hides_bitfield();

	std::shared_ptr<swarm_torrent> m_swarm;
	lt::peer_connection_handle m_peer;
	std::uint64_t m_id;
	receive_place m_place;
	piece_set m_had;
	piece_set m_shown;                ///< by us, who direct it
	std::uint8_t m_roster_number = 0; ///< the peer's, 0 if it does not speak it
	std::uint8_t m_pex_number = 0;
	bool m_is_gone = false;
	bool m_is_counted = false;  ///< by the audience
	bool m_has_fast = false;    ///< it understands "have all" and suggestions
	bool m_has_greeted = false; ///< its extension handshake came
	bool m_said_source = false; ///< we told it that we direct
	bool m_is_directed = false;
	bool m_is_hiding = false;
	bool m_has_hidden = false;
};

} // namespace ezio
