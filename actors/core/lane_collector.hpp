#pragma once

#include "actors/core/hash_plan.hpp"
#include "actors/core/units.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ezio
{

/// How long and how much a hasher may collect.
struct collect_limits {
	std::chrono::milliseconds window{0};           ///< a piece waits at most this long for others; 0: never
	std::uint64_t bytes_max = 16ULL * 1024 * 1024; ///< nor for more than this of blocks held in memory
};

/// Decides when a hasher begins with the pieces it has. Lanes save CPU only when filled, and a target that
/// keeps up with its network never has more than one or two pieces ready; so pieces wait for company, but
/// only while they come so fast that a window brings enough of them to be worth it. A lone piece, the first
/// pieces of a transfer and everything on a network too slow to matter are hashed at once. Used by one
/// thread.
class lane_collector
{
public:
	/// @p plan outlives it.
	explicit lane_collector(hash_plan const &plan, collect_limits limits = {});

	void set_limits(collect_limits limits) { m_limits = limits; }
	/// A new piece came.
	void arrived(monotonic_time now);
	/// When to begin with @p pieces (at least 1) that wait and hold @p bytes, the first of them since
	/// @p oldest: @p now, or the end of its window.
	monotonic_time begin(
		std::size_t pieces, std::uint64_t bytes, monotonic_time oldest, monotonic_time now) const;

private:
	std::size_t m_lanes;      ///< pieces that fill the widest kernel
	std::size_t m_worthwhile; ///< pieces from which waiting pays; 0: never
	collect_limits m_limits;
	std::array<monotonic_time, sha_lanes_max> m_arrivals{}; ///< the last ones, a ring
	std::size_t m_next = 0;                                 ///< place of the next arrival
};

} // namespace ezio
