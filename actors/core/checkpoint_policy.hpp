#pragma once

#include "actors/core/units.hpp"

#include <chrono>
#include <cstdint>

namespace ezio
{

/// How much of a download a crash may cost at most.
struct checkpoint_limits {
	std::chrono::seconds interval{30};   ///< 0: time does not count
	std::uint64_t bytes = 1024ULL << 20; ///< 0: bytes do not count
};

/// When the pieces that a torrent has received are to be flushed and remembered. Pure.
class checkpoint_policy
{
public:
	/// Time counts from @p start.
	explicit checkpoint_policy(monotonic_time start) : m_last(start) {}

	/// @p done_bytes: what the torrent has now.
	bool is_due(checkpoint_limits const &limits, monotonic_time now, std::uint64_t done_bytes) const;
	/// A checkpoint of this much has begun.
	void begun(monotonic_time now, std::uint64_t done_bytes);

private:
	monotonic_time m_last;
	std::uint64_t m_bytes = 0; ///< at the last checkpoint
};

} // namespace ezio
