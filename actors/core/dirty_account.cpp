#include "actors/core/dirty_account.hpp"

#include <algorithm>

namespace ezio
{
namespace
{

constexpr auto relaxed = std::memory_order_relaxed;
/// Shorter windows measure how completions bunch together rather than how fast the device is.
constexpr auto measure_interval = std::chrono::milliseconds(100);

} // namespace

dirty_account::dirty_account()
{
	set_mark();
}

void dirty_account::set_mark()
{
	auto const drained =
		static_cast<std::uint64_t>(m_rate * std::chrono::duration<double>(dirty_drain_time).count());
	m_drained_bytes = std::max(drained, dirty_floor_bytes);
	m_stats->mark_bytes.store(mark_bytes(), relaxed);
}

void dirty_account::received(std::uint64_t bytes)
{
	m_dirty_bytes += bytes;
	m_stats->dirty_bytes.store(m_dirty_bytes, relaxed);
}

void dirty_account::settled(std::uint64_t bytes, bool is_written)
{
	m_dirty_bytes -= bytes;
	m_stats->dirty_bytes.store(m_dirty_bytes, relaxed);
	if (is_written)
		m_window_bytes += bytes;
	if (m_dirty_bytes == 0)
		m_is_window_decided_by_device = false;
}

void dirty_account::refused()
{
	m_stats->refused.fetch_add(1, relaxed);
}

void dirty_account::measure(monotonic_time now)
{
	if (m_window_began == monotonic_time{})
		m_window_began = now;
	auto const elapsed = std::chrono::duration<double>(now - m_window_began);
	if (elapsed < measure_interval)
		return set_mark();
	auto const rate = static_cast<double>(m_window_bytes) / elapsed.count();
	auto const weight = std::min(1.0, elapsed / dirty_drain_time);
	auto const averaged = m_rate + (rate - m_rate) * weight;
	if (m_is_window_decided_by_device || averaged > m_rate) {
		m_rate = averaged;
		m_stats->drain_bytes_per_second.store(static_cast<std::uint64_t>(m_rate), relaxed);
	}
	set_mark();
	m_window_began = now;
	m_window_bytes = 0;
	m_is_window_decided_by_device = m_is_waiting;
}

void dirty_account::waiting_began(monotonic_time now)
{
	m_is_waiting = true;
	m_stats->count.fetch_add(1, relaxed);
	m_stats->waited.begin(now);
}

void dirty_account::waiting_ended(monotonic_time now)
{
	m_is_waiting = false;
	m_is_window_decided_by_device = false;
	m_stats->waited.end(now);
}

} // namespace ezio
