#include "actors/bt/receive_room.hpp"

#include "actors/bt/peer_socket.hpp"

#include <utility>

namespace ezio
{

void receive_room::join(std::uint64_t connection, lt::peer_connection_handle peer)
{
	auto const joined = m_peers.insert_or_assign(connection, std::move(peer)).first;
	auto const is_ours = m_pool_bytes.load(std::memory_order_relaxed) != 0;
	if (!look() && is_ours)
		set(joined->second);
}

void receive_room::leave(std::uint64_t connection)
{
	m_peers.erase(connection);
	look();
}

bool receive_room::look()
{
	auto const pool = m_pool_bytes.load(std::memory_order_relaxed);
	if (pool == 0 || m_peers.empty() || !m_shares.divide(pool, m_peers.size()))
		return false;
	for (auto const &[connection, peer] : m_peers)
		set(peer);
	return true;
}

void receive_room::set(lt::peer_connection_handle const &peer)
{
	auto const done = set_receive_buffer(peer, m_shares.share_bytes());
	if (!done && !std::exchange(m_has_failed, true))
		m_on_failure(done.failure());
}

void receive_guest::tick()
{
	if (m_is_done || m_peer.is_connecting())
		return;
	m_is_done = true;
	m_room->join(m_connection, m_peer);
}

void receive_guest::on_disconnect(lt::error_code const &)
{
	m_is_done = true;
	m_room->leave(m_connection);
}

} // namespace ezio
