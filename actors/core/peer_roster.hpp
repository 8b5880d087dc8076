#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace ezio
{

/// Where a peer listens. An IPv4 address is in the first four bytes.
struct listen_endpoint {
	std::array<std::uint8_t, 16> address{};
	bool is_v6 = false;
	std::uint16_t port = 0;
	friend auto operator<=>(listen_endpoint const &, listen_endpoint const &) = default;

	/// May a connection be tried? No port 0, no "any" address, no multicast or broadcast.
	bool is_usable() const;
	bool is_loopback() const;
};

/// Who takes part in a swarm, told by each node to each newcomer, so that nodes which are told of one peer
/// only find all others within a round trip. (libtorrent's peer exchange speaks once a minute.) A newcomer
/// connects to those that were there before it, so that no two connect to each other at once.
/// Not thread-safe: network thread only.
class peer_roster
{
public:
	using peer_id = std::uint64_t;

	static constexpr std::size_t entries_max = 100; ///< of one message
	static constexpr std::size_t message_bytes_max = entries_max * 19;
	static constexpr std::size_t connections_wanted = 64; ///< a node does not look for more peers than this
	static constexpr std::size_t tried_max = 4096;        ///< addresses that are remembered

	/// A peer that is connected and known to listen.
	void add(peer_id peer, listen_endpoint where);
	void remove(peer_id peer);

	/// Whom to tell a newcomer of: those that are here and are not at its own address, at most entries_max,
	/// beginning at a place that differs from newcomer to newcomer.
	std::vector<listen_endpoint> list_for(peer_id newcomer) const;
	/// The same as a message.
	std::vector<char> message_to(peer_id newcomer) const;

	/// Whom to connect to after a message; each address once per tick round. Malformed messages name nobody.
	/// via_loopback: the message came from this machine; only then are its own addresses believed.
	std::vector<listen_endpoint> newly_named(std::span<char const> message, bool via_loopback);

	/// Addresses that did not become a connection may be tried again.
	void forget_tried() { m_tried.clear(); }

	std::size_t size() const { return m_here.size(); }

private:
	std::map<peer_id, listen_endpoint> m_here;
	std::set<listen_endpoint> m_tried;
};

} // namespace ezio
