#include "actors/core/peer_roster.hpp"

#include <algorithm>
#include <iterator>

namespace ezio
{
namespace
{

constexpr char v4_mark = 4;
constexpr char v6_mark = 6;

std::size_t address_bytes(bool is_v6)
{
	return is_v6 ? 16 : 4;
}

} // namespace

bool listen_endpoint::is_usable() const
{
	if (port == 0)
		return false;
	auto const used = std::span(address).first(address_bytes(is_v6));
	if (std::all_of(used.begin(), used.end(), [](std::uint8_t byte) { return byte == 0; }))
		return false;
	if (is_v6)
		return address[0] != 0xff;
	return address[0] != 0 && address[0] < 224;
}

bool listen_endpoint::is_loopback() const
{
	if (!is_v6)
		return address[0] == 127;
	return address[15] == 1 &&
		std::all_of(address.begin(), address.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

void peer_roster::add(peer_id peer, listen_endpoint where)
{
	m_here[peer] = where;
}

void peer_roster::remove(peer_id peer)
{
	m_here.erase(peer);
}

std::vector<listen_endpoint> peer_roster::list_for(peer_id newcomer) const
{
	std::vector<listen_endpoint> list;
	if (m_here.empty())
		return list;
	// It may be here twice, while one of two connections closes; nobody is to connect to itself.
	auto const own = m_here.find(newcomer);
	auto entry = std::next(m_here.begin(), static_cast<std::ptrdiff_t>(newcomer * 7919 % m_here.size()));
	for (std::size_t seen = 0; seen < m_here.size() && list.size() < entries_max; ++seen, ++entry) {
		if (entry == m_here.end())
			entry = m_here.begin();
		if (own == m_here.end() || entry->second != own->second)
			list.push_back(entry->second);
	}
	return list;
}

std::vector<char> peer_roster::message_to(peer_id newcomer) const
{
	std::vector<char> message;
	for (auto const &where : list_for(newcomer)) {
		message.push_back(where.is_v6 ? v6_mark : v4_mark);
		std::copy_n(where.address.begin(), address_bytes(where.is_v6), std::back_inserter(message));
		message.push_back(static_cast<char>(where.port >> 8));
		message.push_back(static_cast<char>(where.port & 0xff));
	}
	return message;
}

std::vector<listen_endpoint> peer_roster::newly_named(std::span<char const> message, bool via_loopback)
{
	std::vector<listen_endpoint> named;
	if (message.size() > message_bytes_max)
		return named;
	while (!message.empty()) {
		if (message[0] != v4_mark && message[0] != v6_mark)
			return {};
		listen_endpoint where;
		where.is_v6 = message[0] == v6_mark;
		auto const length = address_bytes(where.is_v6);
		if (message.size() < 1 + length + 2)
			return {};
		std::copy_n(message.begin() + 1, length, where.address.begin());
		auto const port = message.subspan(1 + length, 2);
		where.port = static_cast<std::uint16_t>(
			static_cast<std::uint8_t>(port[0]) << 8 | static_cast<std::uint8_t>(port[1]));
		named.push_back(where);
		message = message.subspan(1 + length + 2);
	}
	std::erase_if(named, [&](listen_endpoint const &where) {
		if (!where.is_usable() || (where.is_loopback() && !via_loopback))
			return true;
		if (std::any_of(
				m_here.begin(), m_here.end(), [&where](auto const &entry) { return entry.second == where; }))
			return true;
		return m_tried.size() >= tried_max || !m_tried.insert(where).second;
	});
	auto const room = connections_wanted - std::min(connections_wanted, m_here.size());
	if (named.size() > room)
		named.resize(room);
	return named;
}

} // namespace ezio
