#include "actors/core/receive_shares.hpp"

#include <algorithm>

namespace ezio
{

std::uint32_t receive_shares::share_of(std::uint64_t pool_bytes, std::size_t connections)
{
	auto const count = std::max<std::uint64_t>(connections, 1);
	auto const heap_share = heap_bytes / count;
	auto const share =
		std::max(std::min(pool_bytes, heap_bytes) / count, std::min(share_cheap_bytes, heap_share));
	return static_cast<std::uint32_t>(std::clamp(share, share_min_bytes, share_max_bytes));
}

bool receive_shares::divide(std::uint64_t pool_bytes, std::size_t connections)
{
	auto const exact = share_of(pool_bytes, connections);
	bool const has_fallen = exact < m_share_bytes - m_share_bytes / 8;
	bool const may_rise = exact >= m_share_bytes + m_share_bytes / 4 ||
		(exact == share_max_bytes && m_share_bytes != share_max_bytes);
	if (!has_fallen && !may_rise)
		return false;
	m_share_bytes = exact;
	return true;
}

} // namespace ezio
