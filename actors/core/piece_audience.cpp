#include "actors/core/piece_audience.hpp"

#include <utility>

namespace ezio
{
namespace
{

/// As many as a peer remembers.
constexpr std::size_t offers_max = 16;

} // namespace

void piece_audience::went(std::vector<bool> const &had)
{
	for (std::size_t i = 0; i < had.size() && i < m_having.size(); ++i) {
		if (had[i])
			m_having[i].fetch_sub(1, std::memory_order_relaxed);
	}
	m_peers.fetch_sub(1, std::memory_order_relaxed);
}

std::uint32_t piece_audience::lacking(piece_index piece) const
{
	auto const all = peers();
	std::uint32_t const have =
		m_having[static_cast<std::size_t>(to_int(piece))].load(std::memory_order_relaxed);
	return all > have ? all - have : 0;
}

bool piece_audience::offer(piece_index piece)
{
	std::lock_guard const lock(m_mutex);
	if (m_offers.size() == offers_max)
		return false;
	m_offers.push_back(piece);
	m_has_offers.store(true, std::memory_order_relaxed);
	return true;
}

std::vector<piece_index> piece_audience::take_offers()
{
	std::lock_guard const lock(m_mutex);
	m_has_offers.store(false, std::memory_order_relaxed);
	return std::exchange(m_offers, {});
}

} // namespace ezio
