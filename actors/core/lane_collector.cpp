#include "actors/core/lane_collector.hpp"

#include <algorithm>

namespace ezio
{

lane_collector::lane_collector(hash_plan const &plan, collect_limits limits)
	: m_lanes(plan.choose(sha_kind::sha1, sha_lanes_max).lanes), m_worthwhile(plan.worthwhile_pieces()),
	  m_limits(limits)
{
	m_arrivals.fill(monotonic_time::min());
}

void lane_collector::arrived(monotonic_time now)
{
	m_arrivals[m_next] = now;
	m_next = (m_next + 1) % m_arrivals.size();
}

monotonic_time lane_collector::begin(
	std::size_t pieces, std::uint64_t bytes, monotonic_time oldest, monotonic_time now) const
{
	bool const is_full = pieces >= m_lanes || bytes >= m_limits.bytes_max;
	if (m_worthwhile == 0 || m_limits.window.count() == 0 || is_full)
		return now;
	// What the last window brought is what the next one is expected to bring.
	auto const recent = std::count_if(
		m_arrivals.begin(), m_arrivals.end(), [&](monotonic_time at) { return at >= now - m_limits.window; });
	if (static_cast<std::size_t>(recent) < m_worthwhile)
		return now;
	return std::max(now, oldest + m_limits.window);
}

} // namespace ezio
