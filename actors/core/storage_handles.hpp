#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/result.hpp"
#include "actors/core/retry_policy.hpp"
#include "actors/core/storage.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ezio
{

/// One storage as a partition has it open.
struct open_storage {
	std::shared_ptr<storage> target;
	std::unique_ptr<block_device> device;
	bool is_unsynced = false; ///< something was written since the last successful flush
	bool is_suspect = false;  ///< a write or flush failed: opened anew once the failure is cleared
	std::uint64_t flush_failures_seen = 0; ///< of the device, before the first unsynced write
	retry_policy retries;
};

/// A stretch of payload that is to be read into buffers, which have its length in all.
struct payload_read {
	byte_range payload;
	std::span<read_buffer const> buffers;
	result<void> outcome; ///< errc::aborted: not tried or not finished, as another of the batch failed
};

/// The device handles of one partition, one per storage, and the transfers through them, counted; those that
/// fail with what can pass are tried again, within limits (retry_policy.hpp). Not thread-safe; calls the
/// device.
class storage_handles
{
public:
	using clock_function = std::function<monotonic_time()>;
	using wait_function = std::function<bool(storage const &, std::chrono::milliseconds)>;

	/// Until set_retry_limits() nothing is tried again.
	explicit storage_handles(partition_stats &stats, clock_function clock = monotonic_clock::now,
		wait_function wait = wait_for_retry)
		: m_stats(stats), m_clock(std::move(clock)), m_wait(std::move(wait))
	{
	}
	void set_retry_limits(retry_limits const &limits) { m_retry_limits = limits; }

	/// The open handle; opens it if need be. A failed attempt is made again at the next call.
	result<open_storage *> acquire(std::shared_ptr<storage> const &target);
	/// Null if it is not open.
	open_storage *find(storage_id id);
	void close(storage_id id);
	/// What was written counts no longer, and whatever befell it: what is on the device will be looked at.
	void distrust(storage_id id);
	void close_all();
	/// Closes every handle, those that were written to after a flush. One whose flush fails stays open and
	/// its storage as it is: its next sync meets the failure again and reports it. Returns the first failure.
	std::optional<error> close_flushed();
	/// Flushes every device that was written to and whose storage has not failed. Returns the first failure.
	std::optional<error> flush_all();

	/// Reads stretches of payload: one batch with a read for each part that is contiguous on the device;
	/// padding reads as zeros.
	void read_payloads(open_storage &from, std::span<payload_read> stretches);
	result<void> read_payload(open_storage &from, byte_range payload, std::span<read_buffer const> buffers);
	/// The next read of it asks the device, as far as the page cache lets go of it.
	result<void> forget_cached(open_storage const &of, byte_range payload);
	/// Writes a batch, best of no more than the device's queue_depth(). A failure fails the storage. Returns
	/// the number of the write that was the first to do so, if it is one of these.
	std::optional<std::size_t> write(open_storage &to, std::span<device_write> batch);
	/// A failure fails the storage; @p is_first says whether it was the first to do so.
	result<void> flush(open_storage &of, bool &is_first);

private:
	result<void> counted_flush(open_storage &of);
	bool is_tried_again(open_storage &on, error const &failure);
	void plan_read(open_storage const &from, payload_read const &stretch);
	template <class Transfer, class Perform>
	void perform(open_storage &on, std::span<Transfer> batch, Perform const &transfer_all);

	partition_stats &m_stats;
	clock_function m_clock;
	wait_function m_wait;
	retry_limits m_retry_limits;
	std::unordered_map<std::uint64_t, open_storage> m_open;
	// Kept for their memory.
	std::vector<read_buffer> m_read_buffers;
	std::vector<std::size_t> m_read_buffer_counts;
	std::vector<std::size_t> m_read_owners; ///< the stretch that each read is of
	std::vector<device_read> m_reads;
};

} // namespace ezio
