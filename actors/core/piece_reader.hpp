#pragma once

#include "actors/core/block_arena.hpp"
#include "actors/core/cache_shard.hpp"
#include "actors/core/disk_job.hpp"
#include "actors/core/result.hpp"
#include "actors/core/storage_handles.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace ezio
{

/// Where the blocks of a partition's pieces come from: its cache, or its device and fresh memory. Not
/// thread-safe; calls the device.
class piece_reader
{
public:
	/// All three outlive it.
	piece_reader(block_arena &arena, cache_shard &cache, storage_handles &handles)
		: m_arena(arena), m_cache(cache), m_handles(handles)
	{
	}

	/// The block of the job's piece, used now, if it is cached.
	block_ref cached(disk_job const &job, std::uint32_t index);
	/// Length of the run from @p first, which is to be read, before @p end: up to the next cached block; all
	/// of it where the job goes by the device alone.
	std::uint32_t missing_run(disk_job const &job, std::uint32_t first, std::uint32_t end);
	/// A block for data from the device, at the cost of clean ones of this cache if need be; empty: none.
	block_ref take_block();
	/// The same without touching the cache.
	block_ref take_free_block() { return m_arena.allocate(block_purpose::read); }
	/// As many as can be had of @p count of either kind, behind those in @p to, which may move: in the order
	/// of their addresses, since what is side by side in memory is one buffer to the device.
	std::span<block_ref const> take_blocks(std::vector<block_ref> &to, std::size_t count);
	std::span<block_ref const> take_free_blocks(std::vector<block_ref> &to, std::size_t count);
	/// Reads consecutive blocks of the job's piece, whose storage is open.
	result<void> fill(disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks);

	/// Consecutive blocks of a job's piece that are to be read.
	struct stretch {
		disk_job const *job = nullptr;
		std::uint32_t first = 0;
		std::uint32_t count = 0;
		result<void> outcome; ///< errc::aborted: left out, since another one failed
	};
	/// Reads all stretches, those of one storage (which is open, and whose stretches stand together) as one
	/// batch. @p buffers: a block's bytes each, in the order of the stretches.
	void fill_all(std::span<stretch> stretches, std::span<read_buffer const> buffers);

private:
	block_arena &m_arena;
	cache_shard &m_cache;
	storage_handles &m_handles;
	// Kept for their memory.
	std::vector<read_buffer> m_buffers;
	std::vector<payload_read> m_reads;
};

} // namespace ezio
