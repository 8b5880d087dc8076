#pragma once

#include "actors/core/units.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace ezio
{

/// How fast all verifications together may read.
struct verify_rate {
	std::uint64_t bytes_per_second = 0; ///< 0: as fast as devices and hashers can
};

/// Says when the next portion of something may begin, so that a rate holds: within any time t no more begins
/// than the rate times (t + slack), and one portion. Pure; used by one thread.
class rate_pacer
{
public:
	/// How much lateness of a timer is made up for.
	static constexpr std::chrono::milliseconds slack{250};

	void set(verify_rate rate, monotonic_time now)
	{
		m_rate = rate;
		// What was to come at the old rate does not count.
		m_free_at = now;
	}
	/// True: @p bytes may begin now, and are counted. False: not before next().
	bool take(std::uint64_t bytes, monotonic_time now)
	{
		if (m_rate.bytes_per_second == 0)
			return true;
		if (now < m_free_at)
			return false;
		auto const seconds = static_cast<double>(bytes) / static_cast<double>(m_rate.bytes_per_second);
		m_free_at = std::max(m_free_at, now - slack) +
			std::chrono::ceil<monotonic_clock::duration>(std::chrono::duration<double>(seconds));
		return true;
	}
	monotonic_time next() const { return m_free_at; }

private:
	verify_rate m_rate;
	monotonic_time m_free_at{};
};

} // namespace ezio
