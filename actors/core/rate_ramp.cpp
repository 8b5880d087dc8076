#include "actors/core/rate_ramp.hpp"

#include <algorithm>

namespace ezio
{

void rate_ramp::observe(monotonic_time now, std::uint64_t moved_bytes)
{
	auto const has_moved = moved_bytes > m_moved_bytes;
	m_moved_bytes = moved_bytes;
	if (has_moved) {
		m_last_moved = now;
		if (m_phase == phase::idle) {
			m_phase = phase::rising;
			m_begun = now;
		}
	}
	if (m_phase == phase::rising && !ceiling(now))
		m_phase = phase::passed;
	if (m_phase != phase::idle && now - m_last_moved >= idle_after)
		m_phase = phase::idle;
}

std::optional<std::uint64_t> rate_ramp::ceiling(monotonic_time now) const
{
	if (m_plan.start == 0 || m_phase == phase::passed || m_plan.start >= m_plan.end)
		return std::nullopt;
	if (m_phase == phase::idle)
		return m_plan.start;
	auto const period = std::max(m_plan.period, std::chrono::milliseconds(1));
	auto const steps = static_cast<std::uint64_t>((now - m_begun) / period);
	auto const left = m_plan.end - m_plan.start;
	if (m_plan.step == 0 || steps < (left + m_plan.step - 1) / m_plan.step)
		return m_plan.start + steps * m_plan.step;
	return std::nullopt;
}

} // namespace ezio
