#pragma once

#include "actors/core/cache_shard.hpp"
#include "actors/core/flush_policy.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/storage_handles.hpp"

#include <optional>
#include <span>
#include <vector>

namespace ezio
{

/// Takes a job out of its partition: counts it and hands it to its sink.
void answer(partition_stats &stats, job_ptr job);
void answer(partition_stats &stats, job_ptr job, error failure);

/// Carries out what the flush policy chose: maps runs of dirty blocks to their device, writes them in order
/// of offset with as few calls as possible and answers their jobs. Not thread-safe.
class write_back
{
public:
	write_back(cache_shard &cache, storage_handles &handles, partition_stats &stats)
		: m_cache(cache), m_handles(handles), m_stats(stats)
	{
	}

	/// Whether neighbours are written together, however they came to be.
	void set_coalescing(bool is_coalescing) { m_is_coalescing = is_coalescing; }
	/// Plans these dirty runs of the piece. Its storage must be open. The piece must not change before
	/// execute().
	void plan(cached_piece &piece, std::span<block_run const> runs);
	/// Writes everything planned. Written blocks stay in the cache, others leave it; each job is answered.
	/// Returns the first failure of a device.
	std::optional<error> execute();

private:
	struct record {
		cached_piece *piece = nullptr;
		std::uint32_t index = 0;
		std::optional<std::uint32_t> failure; ///< index in m_failures
	};
	struct failed_write {
		error e;
		bool is_first = false; ///< for the storage, and no job carries it yet
		bool is_aborted = false;
	};

	using part_groups = std::span<std::span<write_part const> const>;

	void write_device(std::span<write_part const> parts, std::optional<error> &first);
	void write_groups(open_storage &open, part_groups groups, std::optional<error> &first);
	void fail_group(std::span<write_part const> parts, failed_write failed);
	void finish(record &r);

	cache_shard &m_cache;
	storage_handles &m_handles;
	partition_stats &m_stats;
	bool m_is_coalescing = true;
	// Kept for their memory; empty between calls.
	std::vector<open_storage *> m_devices;
	std::vector<record> m_records;
	std::vector<write_part> m_parts;
	std::vector<std::span<write_part const>> m_groups;
	std::vector<write_buffer> m_buffers;
	std::vector<device_write> m_writes;
	std::vector<failed_write> m_failures;
};

} // namespace ezio
