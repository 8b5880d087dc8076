#pragma once

#include <atomic>
#include <cstdint>

namespace ezio
{

/// What the disk adapter knows of its own throttling. Written by the network thread (relaxed), read by anyone
/// at any time.
struct backpressure_stats {
	std::atomic<std::uint64_t> dirty_blocks{0}; ///< received and not yet written; gauge
	std::atomic<std::uint64_t> refused{0};      ///< received blocks dropped because the budget was exhausted
	std::atomic<std::uint64_t> count{0};        ///< how often the high mark was reached
	std::atomic<std::uint64_t> total_ns{0};     ///< time spent above it, episodes that have ended
	/// monotonic_clock time since its epoch when the present episode began; 0: none.
	std::atomic<std::int64_t> full_since_ns{0};
};

} // namespace ezio
