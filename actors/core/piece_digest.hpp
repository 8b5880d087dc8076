#pragma once

#include "actors/core/disk_job.hpp"

#include <memory>
#include <span>
#include <vector>

namespace ezio
{

/// Blocks of one piece, in order, to be hashed for a job. The references keep the bytes alive and unchanged.
/// A large piece may come as several tasks with one stream; the one with a job is the last.
struct hash_stream;
struct hash_task {
	std::shared_ptr<hash_stream> stream; ///< state carried from task to task of one piece
	struct part {
		block_ref block;
		std::uint32_t length_bytes = 0; ///< from the start of the block
	};
	std::vector<part> parts;
	job_ptr job; ///< set in the last task of the piece: gets the digests and goes to its sink
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
	hash_stream(bool want_sha1, bool want_block_sha256);
	virtual ~hash_stream();
	hash_stream(hash_stream const &) = delete;
	hash_stream &operator=(hash_stream const &) = delete;

	/// Adds one block (16 KiB, or less for the last of a piece).
	void add_block(std::span<std::byte const> bytes);
	/// Stores the digests in the job. The stream is spent.
	void finish(disk_job &job);

private:
	struct state;
	std::unique_ptr<state> m_state;
};

/// Runs one task: adds its parts and, if it is the last, hands the finished job to its sink.
void run_hash_task(hash_task task);

/// Hashes in the caller's thread: for hashing-threads 0 and for tests.
class inline_hash_dispatcher : public hash_dispatcher
{
public:
	void submit(hash_task task) override { run_hash_task(std::move(task)); }
	std::shared_ptr<hash_stream> open_stream(bool want_sha1, bool want_block_sha256) override
	{
		return std::make_shared<hash_stream>(want_sha1, want_block_sha256);
	}
};

sha1_digest sha1_of(std::span<std::byte const> bytes);
sha256_digest sha256_of(std::span<std::byte const> bytes);

} // namespace ezio
