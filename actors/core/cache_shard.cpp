#include "actors/core/cache_shard.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace ezio
{
namespace
{

void set_bit(std::vector<std::uint64_t> &bits, std::uint32_t index)
{
	bits[index / 64] |= std::uint64_t{1} << (index % 64);
}

/// How often the pieces are looked at while the whole shard is evicted once.
constexpr std::uint32_t reviews_per_turnover = 16;
/// To more peers a piece is not offered: they should rather have it from each other.
constexpr std::uint32_t offered_readers_max = 2;

void clear_bit(std::vector<std::uint64_t> &bits, std::uint32_t index)
{
	bits[index / 64] &= ~(std::uint64_t{1} << (index % 64));
}

} // namespace

std::size_t cache_shard::key_hash::operator()(key const &k) const
{
	auto x = to_int(k.storage) * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(to_int(k.piece));
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return static_cast<std::size_t>(x ^ (x >> 32));
}

cached_piece *cache_shard::find(storage_id storage, piece_index piece)
{
	auto const it = m_pieces.find(key{storage, piece});
	return it == m_pieces.end() ? nullptr : &it->second;
}

cached_piece &cache_shard::get(storage_id storage, piece_index piece, std::uint32_t blocks)
{
	if (auto *const known = find(storage, piece))
		return *known;
	cached_piece *made = nullptr;
	if (m_spare.empty()) {
		made = &m_pieces[key{storage, piece}];
	} else {
		auto node = std::move(m_spare.back());
		m_spare.pop_back();
		node.key() = key{storage, piece};
		made = &m_pieces.insert(std::move(node)).position->second;
	}
	made->storage = storage;
	made->piece = piece;
	made->slots.resize(blocks);
	made->dirty_bits.assign((blocks + 63) / 64, 0);
	made->is_changed = false;
	made->is_hash_asked = false;
	made->audience.reset();
	made->is_shared = false;
	made->is_offered = false;
	made->kept_as = cached_piece::rank::fresh;
	made->servings = 0;
	made->first_clean = blocks;
	return *made;
}

void cache_shard::insert_clean(cached_piece &piece, std::uint32_t index, block_ref block, bool is_ahead)
{
	auto &slot = piece.slots[index];
	assert(!slot.writer);
	if (!slot.block) {
		++piece.clean_blocks;
		++m_clean_blocks;
		if (piece.is_linked && piece.kept_as == cached_piece::rank::wanted)
			++m_wanted_blocks;
	}
	slot.block = std::move(block);
	slot.is_served = false;
	slot.is_ahead = is_ahead;
	piece.first_clean = std::min(piece.first_clean, index);
	touch(piece);
	limit_wanted();
}

void cache_shard::insert_dirty(cached_piece &piece, std::uint32_t index, job_ptr job, monotonic_time now)
{
	auto &slot = piece.slots[index];
	assert(!slot.writer);
	if (slot.block)
		take_clean(piece, index);
	slot.block = job->block;
	slot.is_served = false;
	slot.is_ahead = false;
	slot.writer = std::move(job);
	slot.dirty_since = now;
	set_bit(piece.dirty_bits, index);
	if (piece.dirty_blocks++ == 0) {
		piece.oldest_dirty = now;
		list_dirty(piece, true);
	}
	++m_dirty_blocks;
	piece.is_changed = true;
	if (piece.clean_blocks > 0)
		touch(piece);
}

job_ptr cache_shard::mark_written(cached_piece &piece, std::uint32_t index)
{
	auto block = piece.slots[index].block;
	auto const was_served = piece.slots[index].is_served;
	auto job = remove(piece, index);
	insert_clean(piece, index, std::move(block));
	piece.slots[index].is_served = was_served;
	return job;
}

job_ptr cache_shard::remove(cached_piece &piece, std::uint32_t index)
{
	auto &slot = piece.slots[index];
	auto job = std::move(slot.writer);
	if (job) {
		clear_bit(piece.dirty_bits, index);
		--piece.dirty_blocks;
		--m_dirty_blocks;
		slot.block = {};
	} else if (slot.block) {
		take_clean(piece, index);
	}
	return job;
}

void cache_shard::settle(cached_piece &piece)
{
	if (piece.dirty_blocks == 0) {
		list_dirty(piece, false);
		piece.is_hash_asked = false;
		if (piece.clean_blocks == 0)
			drop(piece);
		return;
	}
	auto oldest = monotonic_time::max();
	for (std::size_t word = 0; word < piece.dirty_bits.size(); ++word) {
		for (auto bits = piece.dirty_bits[word]; bits != 0; bits &= bits - 1) {
			auto const index = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
			oldest = std::min(oldest, piece.slots[index].dirty_since);
		}
	}
	piece.oldest_dirty = oldest;
}

void cache_shard::touch(cached_piece &piece)
{
	if (list_of(piece).newest == &piece)
		return;
	unlink(piece);
	if (piece.clean_blocks > 0)
		link_newest(piece);
}

void cache_shard::serve(cached_piece &piece, std::uint32_t index, std::uint32_t readers)
{
	auto &slot = piece.slots[index];
	auto const is_again = slot.is_served;
	slot.is_served = true;
	slot.is_ahead = false;
	++piece.servings;
	piece.is_shared = piece.is_shared || is_again;
	if (readers > 0 && piece.servings >= std::uint64_t{readers} * piece.slots.size())
		move_to(piece, cached_piece::rank::spent);
	else if (is_again)
		move_to(piece, cached_piece::rank::wanted);
	else if (piece.kept_as == cached_piece::rank::spent)
		move_to(piece, cached_piece::rank::fresh);
	else
		touch(piece);
	limit_wanted();
}

void cache_shard::set_wanted_max(std::uint32_t blocks)
{
	m_wanted_max = blocks;
	limit_wanted();
}

std::uint32_t cache_shard::evict_clean(std::uint32_t count)
{
	if (count > 0)
		review(count);
	std::uint32_t evicted = 0;
	for (auto &list : m_lists) {
		while (evicted < count && list.oldest != nullptr)
			evicted += evict_from(*list.oldest, count - evicted);
	}
	m_evicted_unseen += std::min(evicted, ~m_evicted_unseen);
	return evicted;
}

/// Looks at what peers have come to have since the last time, if so much was evicted that it is worth it.
void cache_shard::review(std::uint32_t evicting)
{
	using rank = cached_piece::rank;
	if (m_evicted_unseen < m_clean_blocks / reviews_per_turnover)
		return;
	m_evicted_unseen = 0;
	for (auto const from : {rank::fresh, rank::wanted}) {
		auto *next = m_lists[static_cast<std::size_t>(from)].oldest;
		while (next != nullptr) {
			auto &piece = *next;
			next = piece.newer;
			if (piece.audience != nullptr && piece.audience->is_over(piece.piece))
				move_to(piece, rank::spent);
		}
	}
	offer_old(evicting);
}

/// The first @p evicting blocks are as good as gone.
void cache_shard::offer_old(std::uint32_t evicting)
{
	std::uint32_t older = 0;
	auto *piece = m_lists[static_cast<std::size_t>(cached_piece::rank::fresh)].oldest;
	for (; piece != nullptr && older < m_clean_blocks / 2; piece = piece->newer) {
		bool const is_going = older < evicting;
		older += piece->clean_blocks;
		if (is_going || piece->is_offered || piece->audience == nullptr ||
			piece->servings < piece->slots.size())
			continue;
		auto const lacking = piece->audience->lacking(piece->piece);
		if (lacking == 0 || lacking > offered_readers_max)
			continue;
		piece->is_offered = piece->audience->offer(piece->piece);
	}
}

std::uint32_t cache_shard::evict_for_warming(std::uint32_t count, storage_id storage)
{
	using rank = cached_piece::rank;
	std::uint32_t evicted = 0;
	for (auto const from : {rank::spent, rank::fresh}) {
		auto *next = m_lists[static_cast<std::size_t>(from)].oldest;
		while (evicted < count && next != nullptr) {
			auto &piece = *next;
			next = piece.newer;
			if (from == rank::spent || piece.storage != storage)
				evicted += evict_from(piece, count - evicted);
		}
	}
	return evicted;
}

/// Drops the first @p count of the piece's clean blocks, and the piece if it is empty then. From the last of
/// them on: the arena hands out first what it got back last, so the next piece's blocks come in order, and
/// what is side by side in memory is one buffer to the device.
std::uint32_t cache_shard::evict_from(cached_piece &piece, std::uint32_t count)
{
	auto const evicted = std::min(count, piece.clean_blocks);
	auto end = piece.first_clean;
	for (std::uint32_t found = 0; found < evicted; ++end)
		found += piece.slots[end].is_clean() ? 1 : 0;
	for (auto index = end; index-- > piece.first_clean;) {
		if (!piece.slots[index].is_clean())
			continue;
		if (piece.slots[index].is_ahead)
			++m_evicted_unused;
		take_clean(piece, index);
	}
	piece.first_clean = end;
	if (piece.clean_blocks == 0 && piece.dirty_blocks == 0)
		drop(piece);
	return evicted;
}

std::uint32_t cache_shard::evict_unshared(std::uint32_t count)
{
	std::uint32_t evicted = 0;
	for (auto const &list : m_lists) {
		for (auto *next = list.oldest; next != nullptr && evicted < count;) {
			auto &piece = *next;
			next = piece.newer;
			auto const size = static_cast<std::uint32_t>(piece.slots.size());
			for (auto index = piece.first_clean; index < size && evicted < count; ++index) {
				auto &slot = piece.slots[index];
				if (!slot.is_clean() || slot.block.use_count() != 1)
					continue;
				if (slot.is_ahead)
					++m_evicted_unused;
				take_clean(piece, index);
				++evicted;
			}
			if (piece.clean_blocks == 0 && piece.dirty_blocks == 0)
				drop(piece);
		}
	}
	return evicted;
}

std::vector<job_ptr> cache_shard::forget_piece(storage_id storage, piece_index piece)
{
	std::vector<job_ptr> jobs;
	if (auto *const known = find(storage, piece)) {
		clear(*known, jobs);
		settle(*known);
	}
	return jobs;
}

std::vector<job_ptr> cache_shard::forget_storage(storage_id storage)
{
	std::vector<job_ptr> jobs;
	std::vector<cached_piece *> pieces;
	for (auto &[k, piece] : m_pieces) {
		if (k.storage == storage)
			pieces.push_back(&piece);
	}
	for (auto *const piece : pieces) {
		clear(*piece, jobs);
		settle(*piece);
	}
	return jobs;
}

std::optional<monotonic_time> cache_shard::oldest_dirty() const
{
	std::optional<monotonic_time> oldest;
	for (auto const *const piece : m_dirty) {
		if (!oldest || piece->oldest_dirty < *oldest)
			oldest = piece->oldest_dirty;
	}
	return oldest;
}

void cache_shard::link_newest(cached_piece &piece)
{
	auto &list = list_of(piece);
	piece.is_linked = true;
	piece.newer = nullptr;
	piece.older = list.newest;
	(list.newest != nullptr ? list.newest->newer : list.oldest) = &piece;
	list.newest = &piece;
	if (piece.kept_as == cached_piece::rank::wanted)
		m_wanted_blocks += piece.clean_blocks;
}

void cache_shard::unlink(cached_piece &piece)
{
	if (!piece.is_linked)
		return;
	auto &list = list_of(piece);
	(piece.newer != nullptr ? piece.newer->older : list.newest) = piece.older;
	(piece.older != nullptr ? piece.older->newer : list.oldest) = piece.newer;
	piece.newer = piece.older = nullptr;
	piece.is_linked = false;
	if (piece.kept_as == cached_piece::rank::wanted)
		m_wanted_blocks -= piece.clean_blocks;
}

void cache_shard::move_to(cached_piece &piece, cached_piece::rank rank)
{
	if (piece.kept_as == rank)
		return touch(piece);
	unlink(piece);
	piece.kept_as = rank;
	if (piece.clean_blocks > 0)
		link_newest(piece);
}

void cache_shard::limit_wanted()
{
	auto const &wanted = m_lists[static_cast<std::size_t>(cached_piece::rank::wanted)];
	while (m_wanted_blocks > m_wanted_max)
		move_to(*wanted.oldest, cached_piece::rank::fresh);
}

void cache_shard::drop(cached_piece &piece)
{
	assert(piece.clean_blocks == 0 && piece.dirty_blocks == 0 && !piece.is_linked);
	piece.audience.reset();
	auto node = m_pieces.extract(key{piece.storage, piece.piece});
	if (m_spare.size() < spare_max)
		m_spare.push_back(std::move(node));
}

void cache_shard::take_clean(cached_piece &piece, std::uint32_t index)
{
	piece.slots[index].block = {};
	--m_clean_blocks;
	if (piece.is_linked && piece.kept_as == cached_piece::rank::wanted)
		--m_wanted_blocks;
	if (--piece.clean_blocks == 0) {
		unlink(piece);
		piece.first_clean = static_cast<std::uint32_t>(piece.slots.size());
	}
}

void cache_shard::list_dirty(cached_piece &piece, bool is_dirty)
{
	bool const is_listed = piece.dirty_position != cached_piece::not_listed;
	if (is_listed == is_dirty)
		return;
	if (is_dirty) {
		piece.dirty_position = m_dirty.size();
		m_dirty.push_back(&piece);
		return;
	}
	m_dirty[piece.dirty_position] = m_dirty.back();
	m_dirty[piece.dirty_position]->dirty_position = piece.dirty_position;
	m_dirty.pop_back();
	piece.dirty_position = cached_piece::not_listed;
}

void cache_shard::clear(cached_piece &piece, std::vector<job_ptr> &jobs)
{
	for (std::uint32_t index = 0; index < piece.slots.size(); ++index) {
		if (auto job = remove(piece, index))
			jobs.push_back(std::move(job));
	}
}

} // namespace ezio
