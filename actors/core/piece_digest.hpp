#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/hash_plan.hpp"
#include "actors/core/sha_stream.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace ezio
{

/// Blocks of one piece, in order, to be hashed for a job. The references keep the bytes alive and unchanged.
/// A large piece may come as several tasks with one stream; the one with a job is the last. A stream may also
/// end without a last task, when its piece could not be read: then its last reference is simply dropped.
struct hash_stream;
struct partition_stats;
struct hash_task {
	std::shared_ptr<hash_stream> stream; ///< state carried from task to task of one piece
	struct part {
		block_ref block;
		std::uint32_t length_bytes = 0; ///< from the start of the block
		std::uint32_t sha256_bytes =
			0; ///< from the start of the block: what its SHA-256 covers; 0: no digest
	};
	std::vector<part> parts;
	job_ptr job; ///< set in the last task of the piece: gets the digests and goes to its sink
	partition_stats *stats = nullptr; ///< of the partition that sent it; outlives the task; may be null
	std::shared_ptr<void const>
		ticket{}; ///< dropped after the blocks: the sender's count of what is under way
};

/// Where a partition sends what is to be hashed. Thread-safe.
class hash_dispatcher
{
public:
	virtual ~hash_dispatcher() = default;
	/// All tasks of one stream must be submitted by one thread, in order; they are run in that order.
	virtual void submit(hash_task task) = 0;
	/// A stream for one piece.
	virtual std::shared_ptr<hash_stream> open_stream(bool want_sha1, bool want_block_sha256) = 0;
};

/// Digests of the bytes seen so far. Used by one thread at a time.
struct hash_stream {
	hash_stream(
		bool want_sha1, bool want_block_sha256, std::shared_ptr<hash_plan const> plan = default_hash_plan());
	virtual ~hash_stream() = default;
	hash_stream(hash_stream const &) = delete;
	hash_stream &operator=(hash_stream const &) = delete;

	/// Adds one block (16 KiB, or less for the last of a piece). SHA-256 covers its first @p sha256_bytes,
	/// since v2 torrents know no padding; a block of padding only (0) has no digest.
	void add_block(std::span<std::byte const> bytes, std::size_t sha256_bytes);
	void add_block(std::span<std::byte const> bytes) { add_block(bytes, bytes.size()); }
	/// Stores the digests in the job. The stream is spent.
	void finish(disk_job &job);
	hash_plan const &plan() const { return *m_plan; }

private:
	friend class multi_digest;

	std::shared_ptr<hash_plan const> m_plan;
	sha_stream m_sha1{sha_kind::sha1};
	std::vector<sha256_digest> m_blocks;
	bool m_want_sha1;
	bool m_want_blocks;
	bool m_is_begun = false; ///< multi_digest has hashed a part of it
};

/// Runs one task: adds its parts, drops the references to them, counts, and, if the task is the last, hands
/// the finished job to its sink.
void run_hash_task(hash_task task);

/// Hashes in the caller's thread: for hashing-threads 0 and for tests.
class inline_hash_dispatcher : public hash_dispatcher
{
public:
	explicit inline_hash_dispatcher(std::shared_ptr<hash_plan const> plan = default_hash_plan())
		: m_plan(std::move(plan))
	{
	}
	void submit(hash_task task) override { run_hash_task(std::move(task)); }
	std::shared_ptr<hash_stream> open_stream(bool want_sha1, bool want_block_sha256) override
	{
		return std::make_shared<hash_stream>(want_sha1, want_block_sha256, m_plan);
	}

private:
	std::shared_ptr<hash_plan const> m_plan;
};

/// Digests of bytes at hand. Any thread. They throw std::bad_alloc if OpenSSL has no memory.
sha1_digest sha1_of(std::span<std::byte const> bytes);
sha256_digest sha256_of(std::span<std::byte const> bytes);

} // namespace ezio
