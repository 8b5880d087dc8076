#pragma once

#include "actors/core/multi_digest.hpp"
#include "actors/messages.hpp"
#include "actors/partition_pool.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace ezio
{

/// What the numbers are read from. All of it outlives the actor.
struct stats_sources {
	block_arena const *arena = nullptr;
	std::function<pool_numbers()> partitions; ///< thread-safe
	/// The hashers that run now; thread-safe.
	std::function<std::vector<std::shared_ptr<hasher_stats const>>()> hashers;
};

struct stats_state {
	stats_sources sources;
	monotonic_time started{};
	std::deque<load_sample> samples; ///< of the last seconds, oldest first
	std::array<std::uint64_t, static_cast<std::size_t>(event_kind::warning) + 1> events{};
	static inline char const *name = "stats";
};

/// Counts the bus's events (the spawner joins it to the bus) and takes snapshots of everyone's counters.
/// Never asks a partition, so a device that hangs does not hide its own numbers.
stats_actor::behavior_type stats(stats_actor::stateful_pointer<stats_state> self, stats_sources sources);

} // namespace ezio
