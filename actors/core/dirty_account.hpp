#pragma once

#include "actors/core/backpressure_stats.hpp"
#include "actors/core/units.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace ezio
{

/// A device may have so much to write that it is done after this time, which also bounds a stop ...
inline constexpr auto dirty_drain_time = std::chrono::seconds(1);
/// ... but this much at least, below which writes get short ...
inline constexpr std::uint64_t dirty_floor_bytes = 4 * 1024 * 1024;
/// ... and what a device drains of which nothing is known yet. Measuring raises it within tenths of a second.
inline constexpr std::uint64_t first_drain_bytes_per_second = 16 * 1024 * 1024;

/// Dirty bytes of one device: received for it and not yet written. Above the mark its peers wait, and at half
/// of the mark they go on. The mark is what the device drained in the last second, within the floor above and
/// the ceiling, its share of the budget.
///
/// The rate is measured while peers wait and something is dirty: only then the device alone decides it. From
/// other times it is known that the device is no slower than what it wrote.
///
/// All methods on the network thread, but set_ceiling() and stats().
class dirty_account
{
public:
	dirty_account();

	/// Any thread.
	void set_ceiling(std::uint64_t bytes) { m_ceiling_bytes.store(bytes, std::memory_order_relaxed); }
	std::shared_ptr<backpressure_stats const> stats() const { return m_stats; }

	void received(std::uint64_t bytes);
	/// A block that was received is dirty no more: written, or given up.
	void settled(std::uint64_t bytes, bool is_written);
	void refused();
	/// After a burst of the above: brings rate and mark up to date.
	void measure(monotonic_time now);

	bool is_full() const { return m_dirty_bytes >= mark_bytes(); }
	/// Those who wait may go on.
	bool is_low() const { return m_dirty_bytes <= mark_bytes() / 2; }
	/// Peers are told to wait, for whatever reason, and told to go on.
	void waiting_began(monotonic_time now);
	void waiting_ended(monotonic_time now);

	std::uint64_t dirty_bytes() const { return m_dirty_bytes; }
	std::uint64_t mark_bytes() const
	{
		return std::min(m_drained_bytes, m_ceiling_bytes.load(std::memory_order_relaxed));
	}

private:
	void set_mark();

	std::shared_ptr<backpressure_stats> m_stats = std::make_shared<backpressure_stats>();
	std::atomic<std::uint64_t> m_ceiling_bytes{128U * 1024 * 1024};
	std::uint64_t m_dirty_bytes = 0;
	std::uint64_t m_drained_bytes = 0;            ///< of dirty_drain_time; the floor at least
	double m_rate = first_drain_bytes_per_second; ///< bytes per second
	bool m_is_waiting = false;
	monotonic_time m_window_began{};
	std::uint64_t m_window_bytes = 0;
	bool m_is_window_decided_by_device = false; ///< peers waited and something was dirty all the time
};

} // namespace ezio
