#include "actors/bt/swarm_torrent.hpp"

#include "actors/bt/swarm_messages.hpp"
#include "actors/bt/swarm_peer.hpp"

#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_info.hpp>

#include <random>
#include <utility>

namespace ezio
{
namespace
{

/// Seconds between two lists to all peers, for those that could not connect at first.
constexpr int roster_period_s = 10;

} // namespace

swarm_torrent::swarm_torrent(lt::torrent_handle torrent, swarm_role role)
	: m_torrent(std::move(torrent)), m_role(std::move(role)), m_unreadable(m_role.unreadable)
{
	if (m_role.is_source)
		m_spreader.emplace(m_role.pieces,
			static_cast<std::int32_t>(std::random_device{}() % static_cast<unsigned>(m_role.pieces)));
}

std::shared_ptr<lt::peer_plugin> swarm_torrent::new_connection(lt::peer_connection_handle const &peer)
{
	if (peer.type() != lt::connection_type::bittorrent)
		return std::make_shared<receive_guest>(m_role.room, peer);
	auto const id = ++m_last_peer;
	auto plugin = std::make_shared<swarm_peer>(shared_from_this(), peer, id);
	m_peers.emplace(id, plugin.get());
	return plugin;
}

void swarm_torrent::on_state(lt::torrent_status::state_t state)
{
	m_is_complete = state == lt::torrent_status::seeding || state == lt::torrent_status::finished;
}

void swarm_torrent::leave(swarm_peer const &peer)
{
	m_peers.erase(peer.id());
	m_roster.remove(peer.id());
	if (m_spreader)
		m_spreader->leave(peer.id(), peer.had());
	direct();
}

void swarm_torrent::tick()
{
	m_role.room->look();
	if (is_directing()) {
		m_spreader->tick();
		direct();
	}
	if (++m_ticks % roster_period_s != 0 || !m_role.tells_peers)
		return;
	m_roster.forget_tried();
	for (auto const &[id, peer] : m_peers)
		peer->send_roster();
}

void swarm_torrent::direct()
{
	if (!m_spreader)
		return;
	for (auto const piece : m_unreadable.look()) {
		if (m_unreadable.contains(piece))
			m_spreader->lose(piece);
		else
			m_spreader->regain(piece);
	}
	if (m_spreader->is_done()) {
		// Once: peers say what they have for as long as others download.
		if (std::exchange(m_is_open, true))
			return;
		for (auto const &[id, peer] : m_peers)
			peer->open();
		return;
	}
	for (auto const &gift : m_spreader->plan(monotonic_clock::now())) {
		auto const found = m_peers.find(gift.peer);
		if (found != m_peers.end())
			found->second->show(gift.piece);
	}
}

void swarm_torrent::connect(std::span<char const> message, bool via_loopback)
{
	// Who has all pieces waits for those that want some.
	if (is_complete() || !m_role.tells_peers)
		return;
	for (auto const &where : m_roster.newly_named(message, via_loopback))
		m_torrent.connect_peer(to_lt(where), lt::peer_info::pex);
}

void swarm_torrent::suggest_offers()
{
	// Peers take up the last suggestion first, and the first offer is the most urgent.
	auto const offers = audience().take_offers();
	for (auto offer = offers.rbegin(); offer != offers.rend(); ++offer) {
		if (m_unreadable.contains(*offer))
			continue;
		for (auto const &[id, peer] : m_peers)
			peer->suggest(*offer);
	}
}

} // namespace ezio
