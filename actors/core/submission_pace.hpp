#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/units.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace ezio
{

/// Decides when the jobs that have come for one device go to its partitions. Each handing over wakes threads,
/// which costs more than the blocks in it, and peers of a fast network bring a few blocks at a time, ten
/// thousand times a second. So reads and writes wait for more of them, but only where the last ones went a
/// moment ago: after a pause, and below a hundred Mbit/s, next to nothing waits. What another part of the
/// program waits for goes at once, with all before it. Used by one thread.
class submission_pace
{
public:
	/// Short beside what peers keep on their way: 128 KiB in a millisecond is the rate of a Gbit/s network.
	static constexpr std::chrono::microseconds gap{1000};
	/// Less is not worth a timer.
	static constexpr std::chrono::microseconds wait_min{100};
	/// Enough blocks for one large write.
	static constexpr std::size_t jobs_max = 64;

	/// One more job waits.
	void came(job_kind kind)
	{
		++m_waiting;
		m_is_urgent = m_is_urgent || (kind != job_kind::read && kind != job_kind::write);
	}
	/// All that waited went.
	void went(monotonic_time now)
	{
		m_waiting = 0;
		m_is_urgent = false;
		m_last = now;
	}
	/// When what waits has to go: @p now, or a moment later.
	monotonic_time due(monotonic_time now) const
	{
		// Something that fakes clocks may let this one go back; nothing may wait for it to catch up.
		if (m_is_urgent || m_waiting >= jobs_max || now < m_last || now - m_last >= gap)
			return now;
		return std::max(m_last + gap, now + wait_min);
	}

private:
	std::size_t m_waiting = 0;
	bool m_is_urgent = false;
	monotonic_time m_last{};
};

} // namespace ezio
