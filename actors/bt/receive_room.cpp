#include "actors/bt/receive_room.hpp"

#include "actors/bt/peer_socket.hpp"

#include <cassert>
#include <utility>

namespace ezio
{

std::uint64_t receive_room::join(lt::peer_connection_handle peer)
{
	auto const joined = m_peers.emplace(++m_last, std::move(peer)).first;
	auto const is_ours = m_pool_bytes.load(std::memory_order_relaxed) != 0;
	if (!look() && is_ours)
		set(joined->second);
	return joined->first;
}

void receive_room::leave(std::uint64_t place)
{
	m_peers.erase(place);
	look();
}

bool receive_room::look()
{
	auto const pool = m_pool_bytes.load(std::memory_order_relaxed);
	if (pool == 0 || m_peers.empty() || !m_shares.divide(pool, m_peers.size()))
		return false;
	for (auto const &[place, peer] : m_peers)
		set(peer);
	return true;
}

void receive_room::set(lt::peer_connection_handle const &peer)
{
	auto const done = set_receive_buffer(peer, m_shares.share_bytes());
	if (!done && !std::exchange(m_has_failed, true))
		m_on_failure(done.failure());
}

void receive_place::take(lt::peer_connection_handle peer)
{
	assert(m_number == 0);
	m_number = m_room->join(std::move(peer));
}

void receive_place::leave()
{
	if (auto const number = std::exchange(m_number, 0); number != 0)
		m_room->leave(number);
}

void receive_guest::tick()
{
	if (m_is_done || m_peer.is_connecting())
		return;
	m_is_done = true;
	m_place.take(m_peer);
}

void receive_guest::on_disconnect(lt::error_code const &)
{
	m_is_done = true;
	m_place.leave();
}

} // namespace ezio
