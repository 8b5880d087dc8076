#pragma once

#include "actors/core/block_arena.hpp"
#include "actors/core/disk_job.hpp"
#include "actors/core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace ezio
{

/// Blocks of one piece as a shard holds them. Read by anyone with the shard; changed by cache_shard only, but
/// for the two hints.
struct cached_piece {
	struct slot {
		block_ref block; ///< empty: not cached
		job_ptr writer;  ///< set while dirty: the job that owns the write
		monotonic_time dirty_since{};
	};

	storage_id storage{};
	piece_index piece{};
	std::vector<slot> slots;               ///< one per block of the piece
	std::vector<std::uint64_t> dirty_bits; ///< bit i: block i is dirty
	std::uint32_t clean_blocks = 0;
	std::uint32_t dirty_blocks = 0;
	monotonic_time oldest_dirty{}; ///< meaningful while dirty_blocks > 0
	bool is_changed = false;       ///< hint for the flush policy: dirty blocks came since it last looked
	bool is_hash_asked = false;    ///< hint for the flush policy: the whole piece has been handed over

private:
	friend class cache_shard;
	static constexpr std::size_t not_listed = ~std::size_t{0};
	std::uint32_t first_clean = 0; ///< no clean block lies before it
	std::size_t dirty_position = not_listed;
	cached_piece *newer = nullptr; ///< neighbours in the list of use; linked while clean_blocks > 0
	cached_piece *older = nullptr;
	bool is_linked = false;
};

/// The blocks of one partition: found by piece, clean ones evicted by the piece's last use, dirty ones pinned
/// until their job is taken back. Not thread-safe. Holds references only; budgets are its owner's business.
///
/// Pointers to a piece stay valid until settle(), evict_clean() or forget_*() drops it for being empty.
class cache_shard
{
public:
	cache_shard() = default;
	cache_shard(cache_shard const &) = delete;
	cache_shard &operator=(cache_shard const &) = delete;

	/// Null if no block of the piece is cached.
	cached_piece *find(storage_id storage, piece_index piece);
	/// Finds or makes the piece.
	cached_piece &get(storage_id storage, piece_index piece, std::uint32_t blocks);

	/// Caches a block that equals what is on the device. The slot must not be dirty; a clean block there is
	/// replaced.
	void insert_clean(cached_piece &piece, std::uint32_t index, block_ref block);
	/// Caches and pins the job's block until its job is taken back. The slot must not be dirty.
	void insert_dirty(cached_piece &piece, std::uint32_t index, job_ptr job, monotonic_time now);
	/// A dirty block reached the device: it is clean now. Returns its job.
	job_ptr mark_written(cached_piece &piece, std::uint32_t index);
	/// Forgets a block. Returns its job if it was dirty.
	job_ptr remove(cached_piece &piece, std::uint32_t index);
	/// After a row of mark_written() and remove(): finds the oldest dirty block again; drops an empty piece.
	void settle(cached_piece &piece);
	/// The piece was used: it is evicted last.
	void touch(cached_piece &piece);

	/// Drops up to @p count clean blocks, least recently used pieces first. Returns how many.
	std::uint32_t evict_clean(std::uint32_t count);
	/// Drops one clean block that nobody else refers to, so that it falls free. False if there is none.
	bool evict_unshared();
	/// Forgets all blocks. Returns the jobs of the dirty ones.
	std::vector<job_ptr> forget_piece(storage_id storage, piece_index piece);
	std::vector<job_ptr> forget_storage(storage_id storage);

	/// Pieces with dirty blocks, in no order. Changed by settle() and forget_*(), not by evict_clean().
	std::span<cached_piece *const> dirty_pieces() const { return m_dirty; }
	std::optional<monotonic_time> oldest_dirty() const;
	std::uint32_t clean_blocks() const { return m_clean_blocks; }
	std::uint32_t dirty_blocks() const { return m_dirty_blocks; }
	std::size_t pieces() const { return m_pieces.size(); }

private:
	struct key {
		storage_id storage{};
		piece_index piece{};
		friend bool operator==(key const &, key const &) = default;
	};
	struct key_hash {
		std::size_t operator()(key const &k) const;
	};
	using piece_map = std::unordered_map<key, cached_piece, key_hash>;
	/// Nodes kept to be used again, so that a steady flow of pieces does not allocate.
	static constexpr std::size_t spare_max = 32;

	void link_newest(cached_piece &piece);
	void unlink(cached_piece &piece);
	void drop(cached_piece &piece);
	void take_clean(cached_piece &piece, std::uint32_t index);
	void list_dirty(cached_piece &piece, bool is_dirty);
	void clear(cached_piece &piece, std::vector<job_ptr> &jobs);

	piece_map m_pieces;
	std::vector<piece_map::node_type> m_spare;
	std::vector<cached_piece *> m_dirty;
	cached_piece *m_newest = nullptr;
	cached_piece *m_oldest = nullptr;
	std::uint32_t m_clean_blocks = 0;
	std::uint32_t m_dirty_blocks = 0;
};

} // namespace ezio
