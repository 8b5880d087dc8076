#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/piece_digest.hpp"
#include "actors/core/piece_reader.hpp"
#include "actors/core/storage_handles.hpp"
#include "actors/core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace ezio
{

/// The hash jobs of a partition whose pieces are mostly in its cache, each carried out at once: blocks go to
/// the hashers by reference, what is missing is read from the device and kept for the readers that follow.
/// Remembers which pieces hashers may still hold. Not thread-safe; calls the device.
class piece_hashing
{
public:
	/// Called with blocks that were read from @p first on, to be kept.
	using keep_function =
		std::function<void(disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks)>;

	/// All references outlive it.
	piece_hashing(piece_reader &reader, storage_handles &handles, hash_dispatcher &hashers,
		partition_stats &stats, keep_function keep)
		: m_reader(reader), m_handles(handles), m_hashers(hashers), m_stats(stats), m_keep(std::move(keep))
	{
	}

	/// hash_piece or hash_block: answers the job, or hands it to the hashers.
	void hash(job_ptr job);
	/// Hashes a whole piece in this thread through a small buffer of its own: slower, but needs nothing of
	/// the memory's budget.
	void hash_here(job_ptr job);
	/// Hashers work on the stream's blocks of that piece until it has expired.
	void watch(disk_job const &job, std::weak_ptr<hash_stream> stream);
	bool is_running(storage_id id, piece_index piece) const;
	/// Forgets streams that have ended; false if hashers still hold pieces.
	bool is_idle();
	void forget_all() { m_running.clear(); }

private:
	struct running_hash {
		storage_id id{};
		piece_index piece{};
		std::weak_ptr<hash_stream> stream;
	};
	static constexpr std::align_val_t scratch_alignment{4096};
	struct scratch_deleter {
		void operator()(std::byte *bytes) const { ::operator delete(bytes, scratch_alignment); }
	};

	bool hash_in_pool(job_ptr &job, std::uint32_t first, std::uint32_t count);
	void hash_here(job_ptr job, std::uint32_t first, std::uint32_t count);

	piece_reader &m_reader;
	storage_handles &m_handles;
	hash_dispatcher &m_hashers;
	partition_stats &m_stats;
	keep_function m_keep;
	std::vector<running_hash> m_running;
	std::vector<block_ref> m_fresh; ///< kept for their memory
	std::unique_ptr<std::byte, scratch_deleter> m_scratch;
};

} // namespace ezio
