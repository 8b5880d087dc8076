#pragma once

#include "actors/core/busy_time.hpp"

#include <atomic>
#include <cstdint>

namespace ezio
{

/// What is known of the throttling of one device. Written by the network thread (relaxed), read by anyone at
/// any time.
struct backpressure_stats {
	std::atomic<std::uint64_t> dirty_bytes{0}; ///< received and not yet written; gauge
	std::atomic<std::uint64_t> mark_bytes{0};  ///< dirty bytes at which peers are told to wait; gauge
	std::atomic<std::uint64_t> drain_bytes_per_second{0}; ///< as last measured; 0: not yet
	std::atomic<std::uint64_t> refused{0}; ///< received blocks dropped because the budget was exhausted
	std::atomic<std::uint64_t> count{0};   ///< how often peers were told to wait
	busy_time waited;                      ///< time that they were
};

} // namespace ezio
