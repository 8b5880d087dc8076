#pragma once

#include "actors/core/busy_time.hpp"
#include "actors/core/latency_histogram.hpp"

#include <atomic>
#include <cstdint>

namespace ezio
{

/// Counters of one disk partition, written by its thread (relaxed), but for queue_depth, and read by anyone
/// at any time, so that asking never waits for a device. Bytes and operations count from the start of the
/// daemon.
struct partition_stats {
	/// Blocks of read and hash jobs found in the cache. Checks and verifications go around it and do not
	/// count.
	std::atomic<std::uint64_t> cache_hits{0};
	std::atomic<std::uint64_t> cache_misses{0};        ///< the others; what was read ahead in time is a hit
	std::atomic<std::uint64_t> ahead_blocks{0};        ///< read from the device before anybody asked for them
	std::atomic<std::uint64_t> ahead_unused_blocks{0}; ///< of these, evicted before anybody did
	std::atomic<std::uint64_t> read_ops{0};
	std::atomic<std::uint64_t> read_bytes{0};
	std::atomic<std::uint64_t> write_ops{0}; ///< calls of write_at
	std::atomic<std::uint64_t> write_bytes{0};
	std::atomic<std::uint64_t> blocks_written{0}; ///< blocks_written / write_ops is the coalescing factor
	std::atomic<std::uint64_t> hashed_bytes{0};
	std::atomic<std::uint64_t> syncs{0};
	std::atomic<std::uint64_t> errors{0};
	std::atomic<std::uint64_t> retries{0};      ///< transfers that failed and were tried again
	std::atomic<std::uint64_t> blocks_clean{0}; ///< gauge
	std::atomic<std::uint64_t> blocks_dirty{0}; ///< gauge
	std::atomic<std::uint64_t> jobs_waiting{0}; ///< gauge: reads waiting for a free block
	/// Gauge: jobs submitted and not finished. Counted by who submits them, so that those in a busy
	/// partition's mailbox are seen.
	std::atomic<std::uint64_t> queue_depth{0};
	/// Somebody has asked for back-pressure after the last batch and the partition has not heard of it yet.
	/// No counter: what those who submit to a partition, one at a time, share with it.
	std::atomic<bool> is_press_on_its_way{false};
	busy_time device_calls; ///< the thread is in calls of the device, one or many transfers at a time
	busy_time hashing;      ///< the thread hashes by itself, since no hasher is there for it
	latency_histogram read_latency;
	latency_histogram write_latency;
	latency_histogram hash_latency; ///< from submission to digest
	latency_histogram sync_latency;
};

/// Adds what counts from the start of the daemon; no gauges, no latencies.
inline void add_counters(partition_stats &to, partition_stats const &from)
{
	to.cache_hits += from.cache_hits;
	to.cache_misses += from.cache_misses;
	to.ahead_blocks += from.ahead_blocks;
	to.ahead_unused_blocks += from.ahead_unused_blocks;
	to.read_ops += from.read_ops;
	to.read_bytes += from.read_bytes;
	to.write_ops += from.write_ops;
	to.write_bytes += from.write_bytes;
	to.blocks_written += from.blocks_written;
	to.hashed_bytes += from.hashed_bytes;
	to.syncs += from.syncs;
	to.errors += from.errors;
	to.retries += from.retries;
}

} // namespace ezio
