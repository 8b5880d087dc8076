#include "actors/bt/swarm_peer.hpp"

#include "actors/bt/swarm_messages.hpp"
#include "actors/bt/swarm_torrent.hpp"

#include <libtorrent/bdecode.hpp>
#include <libtorrent/bitfield.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/peer_request.hpp>

#include <utility>

namespace ezio
{
namespace
{

constexpr char roster_name[] = "ez_roster";
constexpr char source_name[] = "ez_source";
constexpr char pex_name[] = "ut_pex";
/// Ours to choose; libtorrent's own extensions use small numbers.
constexpr std::uint8_t roster_number = 40;
/// In the last reserved byte of a handshake.
constexpr unsigned fast_extension_bit = 0x04;

} // namespace

swarm_peer::swarm_peer(
	std::shared_ptr<swarm_torrent> swarm, lt::peer_connection_handle peer, std::uint64_t id)
	: m_swarm(std::move(swarm)), m_peer(std::move(peer)), m_id(id), m_place(m_swarm->role().room),
	  m_had(m_swarm->role().pieces), m_shown(m_swarm->role().pieces)
{
	if (auto *const spreader = m_swarm->spreader())
		spreader->join(m_id, false);
}

void swarm_peer::leave()
{
	if (std::exchange(m_is_gone, true))
		return;
	m_place.leave();
	if (m_is_counted)
		m_swarm->audience().went(m_had.bits());
	m_swarm->leave(*this);
}

void swarm_peer::add_handshake(lt::entry &handshake)
{
	handshake["m"][roster_name] = roster_number;
	if (m_swarm->is_directing()) {
		handshake[source_name] = 1;
		m_said_source = true;
	}
}

bool swarm_peer::on_handshake(lt::span<char const> reserved)
{
	m_has_fast = reserved.size() >= 8 && (static_cast<unsigned char>(reserved[7]) & fast_extension_bit) != 0;
	if (std::exchange(m_is_counted, true))
		return true;
	m_swarm->audience().came();
	m_place.take(m_peer);
	return true;
}

bool swarm_peer::on_extension_handshake(lt::bdecode_node const &handshake)
{
	if (handshake.type() != lt::bdecode_node::dict_t)
		return true;
	auto const messages = handshake.dict_find_dict("m");
	auto const number_of = [&messages](char const *name) {
		auto const number = messages ? messages.dict_find_int_value(name) : 0;
		return static_cast<std::uint8_t>(number > 0 && number <= 255 ? number : 0);
	};
	if (std::exchange(m_has_greeted, true))
		return true;
	m_pex_number = number_of(pex_name);
	m_roster_number = number_of(roster_name);
	bool const is_ours = m_roster_number != 0;
	m_is_hiding = is_ours && !m_swarm->role().is_source && handshake.dict_find_int_value(source_name) == 1;
	if (is_ours && m_said_source && m_has_fast) {
		m_is_directed = true;
		m_swarm->spreader()->join(m_id, true);
		// The others may have been told meanwhile that they may take anything.
		if (m_swarm->is_directing())
			m_swarm->direct();
		else
			open();
	}

	auto const port = m_peer.is_outgoing() ? m_peer.remote().port() : handshake.dict_find_int_value("p");
	if (port > 0 && port <= 65535) {
		if (auto const where = to_core(m_peer.remote().address(), static_cast<std::uint16_t>(port)))
			m_swarm->roster().add(m_id, *where);
	}
	// Who connected is the newcomer.
	if (!m_peer.is_outgoing() || m_swarm->is_complete())
		send_pex();
	return true;
}

bool swarm_peer::on_extended(int length, int number, lt::span<char const> body)
{
	if (number != roster_number)
		return false;
	if (body.size() >= length)
		m_swarm->connect(
			{body.data(), static_cast<std::size_t>(length)}, m_peer.remote().address().is_loopback());
	return true;
}

bool swarm_peer::on_have(lt::piece_index_t piece)
{
	add(piece_index(static_cast<int>(piece)));
	m_swarm->direct();
	return false;
}

bool swarm_peer::on_bitfield(lt::bitfield const &pieces)
{
	if (pieces.all_set())
		return on_have_all();
	for (int i = 0; i < pieces.size(); ++i) {
		if (pieces[i])
			add(piece_index(i));
	}
	m_swarm->direct();
	return hides_bitfield();
}

bool swarm_peer::on_have_all()
{
	auto *const spreader = m_swarm->spreader();
	if (spreader != nullptr && m_had.count() == 0)
		spreader->is_source(m_id);
	for (std::int32_t i = 0; i < m_swarm->role().pieces; ++i)
		add(piece_index(i));
	m_swarm->direct();
	return hides_bitfield();
}

bool swarm_peer::on_request(lt::peer_request const &request)
{
	if (auto *const spreader = m_swarm->spreader())
		spreader->asked(m_id, piece_index(static_cast<int>(request.piece)), monotonic_clock::now());
	if (m_swarm->audience().has_offers())
		m_swarm->suggest_offers();
	return false;
}

bool swarm_peer::can_disconnect(lt::error_code const &reason)
{
	// A source that directs seems to have nothing of interest now and then.
	return !m_is_hiding || m_swarm->is_complete() ||
		(reason != lt::errors::uninteresting_upload_peer && reason != lt::errors::timed_out_no_interest);
}

void swarm_peer::sent_payload(int)
{
	if (auto *const spreader = m_swarm->spreader())
		spreader->sent(m_id);
}

void swarm_peer::add(piece_index piece)
{
	if (!m_is_counted || !m_had.insert(piece))
		return;
	m_swarm->audience().has(piece);
	if (auto *const spreader = m_swarm->spreader())
		spreader->has(m_id, piece, monotonic_clock::now());
}

void swarm_peer::show(piece_index piece)
{
	m_shown.insert(piece);
	send(have_message(piece));
}

void swarm_peer::open()
{
	if (std::exchange(m_is_directed, false))
		send(have_all_message());
}

void swarm_peer::suggest(piece_index piece)
{
	if (!m_is_counted || !m_has_fast || m_had.contains(piece))
		return;
	// Whom we direct takes no suggestion of what it was not shown.
	if (m_is_directed && !m_shown.contains(piece)) {
		if (!m_swarm->spreader()->give_too(m_id, piece))
			return;
		show(piece);
	}
	send(suggest_message(piece));
}

void swarm_peer::send_roster()
{
	if (m_roster_number != 0 && m_swarm->role().tells_peers)
		send_extended(m_roster_number, m_swarm->roster().message_to(m_id));
}

void swarm_peer::send_pex()
{
	if (m_pex_number != 0 && m_swarm->role().tells_peers)
		send_extended(m_pex_number, pex_body(m_swarm->roster().list_for(m_id)));
}

void swarm_peer::send_extended(std::uint8_t number, std::span<char const> body)
{
	if (!body.empty())
		send(extended_message(number, body));
}

void swarm_peer::send(std::vector<char> const &message)
{
	m_peer.send_buffer(message.data(), static_cast<int>(message.size()));
}

bool swarm_peer::hides_bitfield()
{
	return m_is_hiding && !std::exchange(m_has_hidden, true);
}

} // namespace ezio
