#pragma once

#include "actors/core/block_arena.hpp"
#include "actors/core/disk_job.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/piece_digest.hpp"
#include "actors/core/result.hpp"
#include "actors/core/retry_policy.hpp"
#include "actors/core/storage.hpp"
#include "actors/core/units.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace ezio
{

/// Live-tunable limits of one partition.
struct engine_limits {
	/// A contiguous dirty run this long is written at once. 0: every block by itself, as it comes.
	std::uint32_t coalesce_bytes = 1024 * 1024;
	std::chrono::milliseconds coalesce_delay{150}; ///< a dirty block waits at most this long
	std::uint32_t prefetch_bytes = 1024 * 1024;    ///< read_ahead's limit, within the piece; 0: none
	std::uint32_t cache_blocks_max = 1024;         ///< this shard's share of the budget, clean and dirty
	retry_limits retries{};                        ///< of reads, writes and opens; never of flushes

	friend bool operator==(engine_limits const &, engine_limits const &) = default;
};

/// All of a disk partition but its thread: owns one cache shard and the device handles of its storages, and
/// does every job in the order of arrival, so that a read sees the write before it and a hash sees both.
/// Knows neither actors nor libtorrent. Used by one thread; calls the device, which may block.
///
/// Every job given to process() reaches its sink exactly once: at once, from a later call, through the hash
/// dispatcher, or from stop().
class partition_engine
{
public:
	using clock_function = std::function<monotonic_time()>;
	/// Waits so long for the sake of the storage before a transfer is tried again; false: do not try.
	using wait_function = std::function<bool(storage const &, std::chrono::milliseconds)>;
	/// Called by any thread when end_of_batch() has something to do although no job came.
	using wake_function = std::function<void()>;

	partition_engine(block_arena &arena, hash_dispatcher &hashers, partition_stats &stats,
		engine_limits limits, clock_function clock = monotonic_clock::now,
		wait_function wait = wait_for_retry, wake_function wake = {});
	~partition_engine(); ///< stop() must have been called, unless no job was ever given
	partition_engine(partition_engine const &) = delete;
	partition_engine &operator=(partition_engine const &) = delete;

	void process(job_ptr job);
	/// After a batch of jobs: writes what is ripe (run long enough, piece complete, delay over, cache over
	/// its share), retries reads that wait for a block, reads on for checks and verifications.
	void end_of_batch();
	/// Back-pressure: writes everything dirty now, of all storages, and where memory is short gives up what
	/// is cached and on the device, however little others leave of our share.
	void relieve();
	/// Writes everything dirty now, of all storages.
	void flush_all();
	/// When end_of_batch() should be called again at the latest although no job came; empty: never, or when
	/// the wake function is called.
	std::optional<monotonic_time> next_deadline() const;
	void set_limits(engine_limits limits);
	/// Writes everything and forgets every block, so that another partition can take over from here; handles
	/// stay open. False while reads wait for a block or hashers still work on pieces of ours: call it again
	/// later.
	bool drain();
	/// After drain(): flushes what was written and closes all handles; those that are needed again are opened
	/// again. A handle whose flush fails stays open, for the sync that reports it. Returns the first failure.
	result<void> close_handles();
	/// Finishes everything: dirty blocks written and devices flushed, waiting reads ended as aborted, handles
	/// closed. Returns the first failure.
	result<void> stop();

private:
	struct impl;
	std::unique_ptr<impl> m_impl;
};

} // namespace ezio
