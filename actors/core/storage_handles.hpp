#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/result.hpp"
#include "actors/core/storage.hpp"

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace ezio
{

/// One storage as a partition has it open.
struct open_storage {
	std::shared_ptr<storage> target;
	std::unique_ptr<block_device> device;
	bool is_unsynced = false; ///< something was written since the last successful flush
	bool is_suspect = false;  ///< a write or flush failed: opened anew once the failure is cleared
};

/// The device handles of one partition, one per storage, and the transfers through them, counted. Not
/// thread-safe; calls the device.
class storage_handles
{
public:
	explicit storage_handles(partition_stats &stats) : m_stats(stats) {}

	/// The open handle; opens it if need be. A failed attempt is made again at the next call.
	result<open_storage *> acquire(std::shared_ptr<storage> const &target);
	/// Null if it is not open.
	open_storage *find(storage_id id);
	void close(storage_id id);
	void close_all();
	/// Closes every handle, those that were written to after a flush. One whose flush fails stays open and
	/// its storage as it is: its next sync meets the failure again and reports it. Returns the first failure.
	std::optional<error> close_flushed();
	/// Flushes every device that was written to and whose storage has not failed. Returns the first failure.
	std::optional<error> flush_all();

	/// Reads a stretch of payload into the buffers, which have its length in all: one batch with a read for
	/// each stretch that is contiguous on the device; padding reads as zeros.
	result<void> read_payload(open_storage &from, byte_range payload, std::span<read_buffer const> buffers);
	/// Writes a batch, best of no more than the device's queue_depth(). A failure fails the storage. Returns
	/// the number of the write that was the first to do so, if it is one of these.
	std::optional<std::size_t> write(open_storage &to, std::span<device_write> batch);
	/// A failure fails the storage; @p is_first says whether it was the first to do so.
	result<void> flush(open_storage &of, bool &is_first);

private:
	result<void> counted_flush(block_device &device);

	partition_stats &m_stats;
	std::unordered_map<std::uint64_t, open_storage> m_open;
	// Kept for their memory.
	std::vector<read_buffer> m_read_buffers;
	std::vector<std::size_t> m_read_buffer_counts;
	std::vector<device_read> m_reads;
};

} // namespace ezio
