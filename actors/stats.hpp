#pragma once

#include "actors/core/multi_digest.hpp"
#include "actors/messages.hpp"
#include "actors/partition_pool.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace ezio
{

/// Every number of a partition under the name that it has on the wire; all of them can be added.
inline constexpr std::array<std::pair<char const *, std::uint64_t stats_report::partition_counters::*>, 17>
	partition_counter_members{{
		{"cache_hits", &stats_report::partition_counters::cache_hits},
		{"cache_misses", &stats_report::partition_counters::cache_misses},
		{"ahead_blocks", &stats_report::partition_counters::ahead_blocks},
		{"ahead_unused_blocks", &stats_report::partition_counters::ahead_unused_blocks},
		{"read_ops", &stats_report::partition_counters::read_ops},
		{"read_bytes", &stats_report::partition_counters::read_bytes},
		{"write_ops", &stats_report::partition_counters::write_ops},
		{"write_bytes", &stats_report::partition_counters::write_bytes},
		{"blocks_written", &stats_report::partition_counters::blocks_written},
		{"hashed_bytes", &stats_report::partition_counters::hashed_bytes},
		{"syncs", &stats_report::partition_counters::syncs},
		{"errors", &stats_report::partition_counters::errors},
		{"retries", &stats_report::partition_counters::retries},
		{"blocks_clean", &stats_report::partition_counters::blocks_clean},
		{"blocks_dirty", &stats_report::partition_counters::blocks_dirty},
		{"jobs_waiting", &stats_report::partition_counters::jobs_waiting},
		{"queue_depth", &stats_report::partition_counters::queue_depth},
	}};

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
