#include "actors/core/unreadable_pieces.hpp"

namespace ezio
{
namespace
{

piece_index to_piece(std::size_t index)
{
	return piece_index{static_cast<std::int32_t>(index)};
}

} // namespace

void unreadable_pieces::set(piece_index piece, bool is_bad)
{
	auto &there = m_is_bad[static_cast<std::size_t>(to_int(piece))];
	if (there.exchange(is_bad, std::memory_order_relaxed) != is_bad)
		m_version.fetch_add(1, std::memory_order_release);
}

void unreadable_pieces::clear()
{
	for (std::size_t i = 0; i < m_is_bad.size(); ++i)
		set(to_piece(i), false);
}

std::vector<piece_index> unreadable_watch::look()
{
	std::vector<piece_index> changed;
	auto const version = m_pieces->version();
	if (version == m_version)
		return changed;
	// What changes from here on is seen now or at the next look.
	m_version = version;
	for (std::size_t i = 0; i < m_is_bad.size(); ++i) {
		bool const is_bad = m_pieces->contains(to_piece(i));
		if (is_bad == m_is_bad[i])
			continue;
		m_is_bad[i] = is_bad;
		m_count = is_bad ? m_count + 1 : m_count - 1;
		changed.push_back(to_piece(i));
	}
	return changed;
}

std::vector<piece_index> unreadable_watch::list() const
{
	std::vector<piece_index> all;
	for (std::size_t i = 0; i < m_is_bad.size(); ++i) {
		if (m_is_bad[i])
			all.push_back(to_piece(i));
	}
	return all;
}

} // namespace ezio
