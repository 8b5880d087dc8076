#include "actors/core/checkpoint_policy.hpp"

namespace ezio
{

bool checkpoint_policy::is_due(
	checkpoint_limits const &limits, monotonic_time now, std::uint64_t done_bytes) const
{
	if (done_bytes <= m_bytes)
		return false; // a re-check may have taken pieces back: nothing new to remember
	bool const is_late = limits.interval.count() > 0 && now - m_last >= limits.interval;
	bool const is_much = limits.bytes > 0 && done_bytes - m_bytes >= limits.bytes;
	return is_late || is_much;
}

void checkpoint_policy::begun(monotonic_time now, std::uint64_t done_bytes)
{
	m_last = now;
	m_bytes = done_bytes;
}

} // namespace ezio
