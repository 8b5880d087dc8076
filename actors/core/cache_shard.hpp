#pragma once

#include "actors/core/block_arena.hpp"
#include "actors/core/disk_job.hpp"
#include "actors/core/piece_audience.hpp"
#include "actors/core/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace ezio
{

/// Blocks of one piece as a shard holds them. Read by anyone with the shard; changed by cache_shard only, but
/// for the hints.
struct cached_piece {
	struct slot {
		/// Cached, and on the device as well.
		bool is_clean() const { return block && !writer; }

		block_ref block; ///< empty: not cached
		job_ptr writer;  ///< set while dirty: the job that owns the write
		monotonic_time dirty_since{};
		bool is_served = false; ///< handed to a peer since it is cached
		bool is_ahead = false;  ///< read ahead, nobody has asked for it yet
	};
	/// What becomes of a piece's clean blocks when room is needed: the first rank goes first.
	enum class rank : std::uint8_t { spent, fresh, wanted };

	storage_id storage{};
	piece_index piece{};
	std::vector<slot> slots;               ///< one per block of the piece
	std::vector<std::uint64_t> dirty_bits; ///< bit i: block i is dirty
	std::uint32_t clean_blocks = 0;
	std::uint32_t dirty_blocks = 0;
	monotonic_time oldest_dirty{}; ///< meaningful while dirty_blocks > 0
	bool is_changed = false;       ///< hint for the flush policy: dirty blocks came since it last looked
	bool is_hash_asked = false;    ///< hint for the flush policy: the whole piece has been handed over
	std::shared_ptr<piece_audience> audience; ///< hint: who may ask for it; null if nobody knows
	bool is_shared = false;                   ///< a block of it was handed out a second time
	bool is_offered = false;                  ///< its audience was told that it will not be here for long
	rank kept_as = rank::fresh;

private:
	friend class cache_shard;
	static constexpr std::size_t not_listed = ~std::size_t{0};
	std::uint32_t first_clean = 0; ///< no clean block lies before it
	std::uint64_t servings = 0;    ///< blocks handed to peers, each as often as it was
	std::size_t dirty_position = not_listed;
	cached_piece *newer = nullptr; ///< neighbours in its rank's list of use; linked while clean_blocks > 0
	cached_piece *older = nullptr;
	bool is_linked = false;
};

/// The blocks of one partition: found by piece, clean ones evicted by rank and last use of their piece, dirty
/// ones pinned until their job is taken back. Not thread-safe. Holds references only; budgets are its owner's
/// business.
///
/// What a swarm will ask for again decides the rank of a piece. *Spent*: it was handed out as often as there
/// are peers that lack pieces; it goes first, since nobody is left to ask. *Wanted*: a block of it was asked
/// for a second time, so that it has several readers and not all have had it; it goes last. *Fresh*: all the
/// rest, such as what was received, read ahead, or had by one peer only. Thus one peer that reads everything
/// once, or a warm-up, pushes out fresh pieces but never wanted ones. Wanted pieces get a part of the shard
/// only (set_wanted_max), those beyond it become fresh again in the order of their use: otherwise what was
/// popular an hour ago would leave no room for the distance between the first and the second reader. Within a
/// rank the least recently used piece goes first. Without knowing how many peers lack pieces (0) nothing is
/// ever spent.
///
/// Peers say which pieces they have, so that spent is also what all of them have from wherever. And a fresh
/// piece that was handed out, but that one or two peers still lack, is offered to them when half of the shard
/// is newer: who takes it from another peer in time needs no offer, and who takes it later from here costs a
/// second read. This is looked at anew whenever a sixteenth of the shard has been evicted.
///
/// Pointers to a piece stay valid until settle(), evict_*() or forget_*() drops it for being empty.
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
	/// replaced. @p is_ahead: nobody has asked for it.
	void insert_clean(cached_piece &piece, std::uint32_t index, block_ref block, bool is_ahead = false);
	/// Caches and pins the job's block until its job is taken back. The slot must not be dirty.
	void insert_dirty(cached_piece &piece, std::uint32_t index, job_ptr job, monotonic_time now);
	/// A dirty block reached the device: it is clean now. Returns its job.
	job_ptr mark_written(cached_piece &piece, std::uint32_t index);
	/// Forgets a block. Returns its job if it was dirty.
	job_ptr remove(cached_piece &piece, std::uint32_t index);
	/// After a row of mark_written() and remove(): finds the oldest dirty block again; drops an empty piece.
	void settle(cached_piece &piece);
	/// The piece was used: it is evicted last of its rank.
	void touch(cached_piece &piece);
	/// A cached block goes to a peer; @p readers: how many peers lack pieces of the storage, 0 if unknown.
	void serve(cached_piece &piece, std::uint32_t index, std::uint32_t readers);
	/// Clean blocks that wanted pieces may have.
	void set_wanted_max(std::uint32_t blocks);

	/// Drops up to @p count clean blocks, by rank and last use. Returns how many.
	std::uint32_t evict_clean(std::uint32_t count);
	/// The same for a warm-up of @p storage: spent pieces, and fresh ones of other storages.
	std::uint32_t evict_for_warming(std::uint32_t count, storage_id storage);
	/// Drops up to @p count clean blocks that nobody else refers to, so that they fall free. Returns how
	/// many.
	std::uint32_t evict_unshared(std::uint32_t count);
	/// Forgets all blocks. Returns the jobs of the dirty ones.
	std::vector<job_ptr> forget_piece(storage_id storage, piece_index piece);
	std::vector<job_ptr> forget_storage(storage_id storage);

	/// Pieces with dirty blocks, in no order. Changed by settle() and forget_*(), not by evict_clean().
	std::span<cached_piece *const> dirty_pieces() const { return m_dirty; }
	std::optional<monotonic_time> oldest_dirty() const;
	std::uint32_t clean_blocks() const { return m_clean_blocks; }
	std::uint32_t dirty_blocks() const { return m_dirty_blocks; }
	/// Clean blocks of wanted pieces.
	std::uint32_t wanted_blocks() const { return m_wanted_blocks; }
	/// Blocks read ahead that were evicted before anybody asked for them, counted from the start.
	std::uint64_t evicted_unused() const { return m_evicted_unused; }
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
	struct use_list {
		cached_piece *newest = nullptr;
		cached_piece *oldest = nullptr;
	};
	using piece_map = std::unordered_map<key, cached_piece, key_hash>;
	/// Nodes kept to be used again, so that a steady flow of pieces does not allocate.
	static constexpr std::size_t spare_max = 32;

	use_list &list_of(cached_piece const &piece) { return m_lists[static_cast<std::size_t>(piece.kept_as)]; }
	void link_newest(cached_piece &piece);
	void unlink(cached_piece &piece);
	void move_to(cached_piece &piece, cached_piece::rank rank);
	void limit_wanted();
	std::uint32_t evict_from(cached_piece &piece, std::uint32_t count);
	void review(std::uint32_t evicting);
	void offer_old(std::uint32_t evicting);
	void drop(cached_piece &piece);
	void take_clean(cached_piece &piece, std::uint32_t index);
	void list_dirty(cached_piece &piece, bool is_dirty);
	void clear(cached_piece &piece, std::vector<job_ptr> &jobs);

	piece_map m_pieces;
	std::vector<piece_map::node_type> m_spare;
	std::vector<cached_piece *> m_dirty;
	std::array<use_list, 3> m_lists; ///< by rank
	std::uint32_t m_wanted_max = ~std::uint32_t{0};
	std::uint32_t m_wanted_blocks = 0;
	/// Blocks, since the pieces were reviewed; many to begin with, so that the first eviction looks at them.
	std::uint32_t m_evicted_unseen = ~std::uint32_t{0};
	std::uint32_t m_clean_blocks = 0;
	std::uint32_t m_dirty_blocks = 0;
	std::uint64_t m_evicted_unused = 0;
};

} // namespace ezio
