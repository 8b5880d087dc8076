#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/piece_digest.hpp"
#include "actors/core/piece_hashing.hpp"
#include "actors/core/piece_reader.hpp"
#include "actors/core/storage_handles.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace ezio
{

/// Hashes pieces that are read from the device for that alone: checking and verifying. Pieces are read side
/// by side, a part of each in turn, so that they fill the lanes of the hashers however large they are, and so
/// that transfers of a round are one batch; on a rotating disk one after the other, since its head would go
/// to and fro between them. While hashers have one round the next is read. Between rounds the partition does
/// what else it is asked for.
///
/// What is read is not kept, and takes free memory; of the cache's only as much as one small round needs.
/// Not thread-safe, but for the wake-up; calls the device.
class piece_scan
{
public:
	/// Called by any thread when step() has something to do again.
	using wake_function = std::function<void()>;

	/// All references outlive it. Without @p wake the owner asks is_due() by itself.
	piece_scan(piece_reader &reader, storage_handles &handles, piece_hashing &hashing,
		hash_dispatcher &hashers, partition_stats &stats, wake_function wake);
	~piece_scan();
	piece_scan(piece_scan const &) = delete;
	piece_scan &operator=(piece_scan const &) = delete;

	/// At most so many blocks are with the hashers at a time.
	void set_window(std::uint32_t blocks);
	/// Takes a hash_piece job, which sees the piece as it is now.
	void add(job_ptr job);
	bool is_empty() const { return m_scans.empty(); }
	/// step() would read something.
	bool is_due() const;
	/// Reads one round and hands it to the hashers.
	void step();
	/// To the end, so that what comes next may change the piece, or all of the storage.
	void finish(storage_id id, std::optional<piece_index> piece = std::nullopt);
	/// Ends all jobs that have not been read to their ends.
	void abort(char const *why);

private:
	struct window; ///< what hashers have of ours; they may outlive us
	struct ticket;
	struct scan {
		job_ptr job; ///< empty once it is answered or handed over
		std::uint32_t next = 0;
		std::uint32_t end = 0;
		std::shared_ptr<hash_stream> stream;
		std::vector<hash_task::part> parts; ///< of the round
	};
	std::uint32_t width(storage const &target) const;
	std::uint32_t part_blocks(storage const &target, std::size_t scans) const;
	void round(std::span<scan *const> scans, std::uint32_t blocks_each, bool is_urgent);
	bool gather(scan &of, std::uint32_t blocks, bool is_urgent);
	void read();
	void hand_over(scan &of);
	void drop_ended();

	piece_reader &m_reader;
	storage_handles &m_handles;
	piece_hashing &m_hashing;
	hash_dispatcher &m_hashers;
	partition_stats &m_stats;
	std::shared_ptr<window> m_window;
	std::uint32_t m_window_blocks = 0;
	std::deque<scan> m_scans; ///< in the order of their coming
	// Of the round; kept for their memory.
	std::uint32_t m_gathered = 0; ///< blocks taken
	std::vector<scan *> m_round;
	std::vector<piece_reader::stretch> m_stretches;
	std::vector<scan *> m_owners; ///< of the stretches
	std::vector<read_buffer> m_buffers;
};

} // namespace ezio
