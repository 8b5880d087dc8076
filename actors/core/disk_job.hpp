#pragma once

#include "actors/core/block_arena.hpp"
#include "actors/core/error.hpp"
#include "actors/core/storage.hpp"
#include "actors/core/units.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace ezio
{

using sha1_digest = std::array<std::byte, 20>;
using sha256_digest = std::array<std::byte, 32>;

enum class job_kind : std::uint8_t {
	/// Reads what is not cached of length_bytes at offset_bytes (a block's) of the piece into the cache, as
	/// far as there is room -> cached_bytes.
	warm,
	read,        ///< length_bytes at offset_bytes of the piece -> block, block_offset_bytes
	write,       ///< block holds length_bytes for the block-aligned offset_bytes of the piece
	hash_piece,  ///< -> sha1 if want_sha1; block_sha256 (one a block of the first sha256_bytes)
	hash_block,  ///< SHA-256 of the block at offset_bytes -> block_sha256[0]
	clear_piece, ///< done when no operation of the piece is outstanding and its blocks are forgotten
	open,        ///< opens this partition's handle of the storage, so that a bad device shows early
	write_back,  ///< writes this storage's dirty blocks; keeps them, the handle and everything else
	sync,        ///< writes this storage's dirty blocks, then flushes the device
	release,     ///< as sync, if anything was written; forgets the storage's blocks and closes its handle
	discard, ///< forgets the storage's blocks, dirty ones too (their jobs end as aborted); keeps the handle
};

class job_sink;

/// One piece of work for one partition. Travels network thread -> partition (-> hasher) -> sink, owned by
/// exactly one of them at any time, and reaches its sink exactly once, also on failure and shutdown.
/// Subclasses carry what the requester needs to answer its own caller.
struct disk_job {
	virtual ~disk_job() = default;

	job_kind kind = job_kind::read;
	std::shared_ptr<storage> target;
	job_sink *sink = nullptr; ///< outlives the job
	piece_index piece{};
	std::uint32_t offset_bytes = 0; ///< within the piece
	std::uint32_t length_bytes = 0;
	bool is_volatile = false;  ///< do not keep what is read: a scan
	bool bypass_cache = false; ///< hash what the device holds, after writing what is dirty: verification
	bool want_sha1 = false;
	bool want_block_sha256 = false;
	/// Bytes of the piece that the block hashes cover: padding at its end (BEP 47) belongs to the v1 hash
	/// only.
	std::uint32_t sha256_bytes = 0;
	monotonic_time submitted{};

	// Results.
	block_ref block;
	std::uint32_t block_offset_bytes = 0; ///< where in the block the bytes of a read begin
	sha1_digest sha1{};
	std::vector<sha256_digest> block_sha256;
	std::uint32_t cached_bytes = 0; ///< what the cache holds of the stretch that a warm job named
	std::optional<error> failure;
	bool is_first_failure = false; ///< this failure made the storage fail: the one to tell the operator
};

using job_ptr = std::unique_ptr<disk_job>;

/// Where finished jobs go. Called by partition and hasher threads; implementations are thread-safe and never
/// block for long.
class job_sink
{
public:
	virtual ~job_sink() = default;
	virtual void finished(job_ptr job) = 0;
};

} // namespace ezio
