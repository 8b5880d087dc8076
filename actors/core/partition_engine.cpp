#include "actors/core/partition_engine.hpp"

#include "actors/core/cache_shard.hpp"
#include "actors/core/flush_policy.hpp"
#include "actors/core/job_blocks.hpp"
#include "actors/core/miss_plan.hpp"
#include "actors/core/piece_hashing.hpp"
#include "actors/core/piece_reader.hpp"
#include "actors/core/piece_scan.hpp"
#include "actors/core/read_ahead.hpp"
#include "actors/core/storage_handles.hpp"
#include "actors/core/write_back.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace ezio
{
namespace
{

constexpr auto relaxed = std::memory_order_relaxed;
/// A shard with less reads for each job by itself: what is read for others would not last until their turn.
constexpr std::uint32_t batch_share_blocks_min = 128;
/// What a press makes room for, where memory is short: the next one comes with the next received blocks.
constexpr std::uint32_t relieved_blocks = 64;
/// How soon a read that found no free block tries again.
constexpr auto retry_interval = std::chrono::milliseconds(5);
/// Empty if the job can be done at all.
std::optional<error> fault_of(disk_job const &job)
{
	auto const invalid = [&job](char const *what) {
		auto e = make_error(errc::invalid_argument, what);
		e.offset_bytes = job.offset_bytes;
		e.length_bytes = job.length_bytes;
		return e;
	};
	if (!job.target)
		return invalid("a disk job without a storage");
	bool const needs_piece = job.kind == job_kind::warm || job.kind == job_kind::read ||
		job.kind == job_kind::write || job.kind == job_kind::hash_piece || job.kind == job_kind::hash_block ||
		job.kind == job_kind::clear_piece;
	if (!needs_piece)
		return std::nullopt;
	auto const &geometry = job.target->pieces();
	if (to_int(job.piece) < 0 || to_int(job.piece) >= geometry.piece_count())
		return invalid("a disk job for a piece that does not exist");
	auto const size = geometry.piece_size(job.piece);
	bool const is_within = job.offset_bytes < size && job.length_bytes <= size - job.offset_bytes;
	switch (job.kind) {
	case job_kind::warm:
		if (job.length_bytes == 0 || job.offset_bytes % block_bytes != 0 || !is_within)
			return invalid("a warm-up of what is not a stretch of its piece");
		break;
	case job_kind::read:
		if (job.length_bytes == 0 || job.length_bytes > block_bytes || !is_within)
			return invalid("a read that is empty, longer than a block or beyond its piece");
		break;
	case job_kind::write:
		if (!job.block || job.offset_bytes % block_bytes != 0 || !is_within ||
			job.length_bytes != block_length(job, job.offset_bytes / block_bytes))
			return invalid("a write that is not one whole block of its piece");
		break;
	case job_kind::hash_block:
		if (job.offset_bytes % block_bytes != 0 || !is_within)
			return invalid("a hash of what is not a block of its piece");
		break;
	case job_kind::hash_piece:
	case job_kind::clear_piece:
	case job_kind::open:
	case job_kind::write_back:
	case job_kind::sync:
	case job_kind::release:
	case job_kind::discard:
		break;
	}
	return std::nullopt;
}

} // namespace

struct partition_engine::impl {
	enum class outcome : std::uint8_t { done, no_block };
	enum class load_state : std::uint8_t { loaded, no_block, failed };

	impl(block_arena &blocks, hash_dispatcher &hashers, partition_stats &counters, engine_limits bounds,
		clock_function time, wait_function wait, wake_function wake)
		: arena(blocks), stats(counters), limits(bounds), clock(std::move(time)),
		  handles(counters, clock, std::move(wait)), writer(cache, handles, counters),
		  reader(arena, cache, handles),
		  hashing(reader, handles, hashers, stats,
			  [this](disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks_read) {
				  keep(job, first, blocks_read);
			  }),
		  scans(reader, handles, hashing, hashers, stats, std::move(wake))
	{
		apply_limits();
	}

	void apply_limits();
	void dispatch(job_ptr job);
	void do_read(job_ptr job);
	void do_warm(job_ptr job);
	void do_write(job_ptr job);
	void do_hash(job_ptr job);
	void do_clear(job_ptr job);
	void do_write_back(job_ptr job);
	void do_sync(job_ptr job);
	void do_release(job_ptr job);
	void do_discard(job_ptr job);

	void read_now(job_ptr job, std::uint32_t missed = 0);
	bool is_read_in_batch(disk_job const &job);
	void finish_reads();
	void load_together();
	std::uint32_t plan_misses(disk_job const &job);
	std::uint32_t uncached_blocks(disk_job const &job);
	outcome read(job_ptr &job, bool may_allocate, std::uint32_t missed = 0);
	load_state load(disk_job &job, std::uint32_t index, block_ref &wanted);
	void keep(disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks,
		std::uint32_t asked = ~std::uint32_t{0});
	std::uint32_t blocks_to_load(disk_job const &job, std::uint32_t index);
	void note_served(disk_job const &job, std::uint32_t index);
	bool is_read_on(disk_job const &job, std::uint32_t index);
	void read_on(std::shared_ptr<storage> target, piece_index piece, std::uint32_t index);

	template <class Predicate>
	std::optional<error> write_dirty(Predicate &&is_wanted, bool is_pressed);
	std::optional<error> write_all();
	std::optional<error> write_storage(storage_id id);
	void write_piece(storage_id id, piece_index piece);
	std::uint32_t make_room(std::uint32_t blocks, storage_id warming);
	void enforce_share();
	void retry_waiting();
	void finish_clears();
	void abort_waiting(storage_id id, std::optional<piece_index> piece, char const *why);
	void publish_gauges();

	block_arena &arena;
	partition_stats &stats;
	engine_limits limits;
	clock_function clock;
	cache_shard cache;
	read_ahead ahead;
	storage_handles handles;
	write_back writer;
	piece_reader reader;
	piece_hashing hashing;
	piece_scan scans;
	std::vector<job_ptr> reads;  ///< of this batch that need the device, in order
	std::deque<job_ptr> waiting; ///< reads without a block, in order
	std::vector<job_ptr> clears; ///< clear_piece jobs that wait for hashers
	monotonic_time last_retry{};
	bool is_stopped = false;
	// Kept for their memory.
	std::vector<block_run> runs;
	std::vector<block_ref> fresh;
	miss_plan misses;
};

partition_engine::partition_engine(block_arena &arena, hash_dispatcher &hashers, partition_stats &stats,
	engine_limits limits, clock_function clock, wait_function wait, wake_function wake)
	: m_impl(std::make_unique<impl>(
		  arena, hashers, stats, limits, std::move(clock), std::move(wait), std::move(wake)))
{
}

partition_engine::~partition_engine()
{
	assert(m_impl->waiting.empty() && m_impl->clears.empty() && m_impl->cache.dirty_blocks() == 0);
}

void partition_engine::process(job_ptr job)
{
	if (m_impl->is_stopped)
		answer(m_impl->stats, std::move(job), make_error(errc::aborted, "the partition has stopped"));
	else if (auto fault = fault_of(*job))
		answer(m_impl->stats, std::move(job), *std::move(fault));
	else
		m_impl->dispatch(std::move(job));
	m_impl->publish_gauges();
}

void partition_engine::end_of_batch()
{
	m_impl->finish_reads();
	m_impl->write_dirty([](cached_piece const &) { return true; }, false);
	m_impl->enforce_share();
	m_impl->retry_waiting();
	m_impl->scans.step();
	m_impl->finish_clears();
	m_impl->publish_gauges();
}

void partition_engine::flush_all()
{
	m_impl->finish_reads();
	m_impl->write_all();
	m_impl->publish_gauges();
}

void partition_engine::relieve()
{
	flush_all();
	if (!m_impl->arena.is_short())
		return;
	m_impl->cache.evict_unshared(relieved_blocks);
	m_impl->publish_gauges();
}

std::optional<monotonic_time> partition_engine::next_deadline() const
{
	auto deadline = m_impl->cache.oldest_dirty();
	if (deadline)
		*deadline += m_impl->limits.coalesce_delay;
	if (!m_impl->waiting.empty() || !m_impl->clears.empty()) {
		auto const retry = m_impl->last_retry + retry_interval;
		deadline = deadline ? std::min(*deadline, retry) : retry;
	}
	if (m_impl->scans.is_due())
		deadline = m_impl->clock();
	return deadline;
}

void partition_engine::set_limits(engine_limits limits)
{
	m_impl->finish_reads();
	m_impl->limits = limits;
	m_impl->apply_limits();
	m_impl->enforce_share();
	m_impl->publish_gauges();
}

bool partition_engine::drain()
{
	auto &s = *m_impl;
	s.finish_reads();
	s.write_all();
	s.scans.step();
	// Frees what the waiting reads may need, and then what these have brought in.
	s.cache.evict_clean(s.cache.clean_blocks());
	s.retry_waiting();
	s.finish_clears();
	s.cache.evict_clean(s.cache.clean_blocks());
	s.publish_gauges();
	return s.waiting.empty() && s.clears.empty() && s.scans.is_empty() && s.hashing.is_idle();
}

result<void> partition_engine::close_handles()
{
	assert(m_impl->cache.dirty_blocks() == 0);
	if (auto failure = m_impl->handles.close_flushed())
		return *std::move(failure);
	return {};
}

result<void> partition_engine::stop()
{
	auto &s = *m_impl;
	s.is_stopped = true;
	s.finish_reads();
	while (!s.waiting.empty()) {
		auto job = std::move(s.waiting.front());
		s.waiting.pop_front();
		answer(s.stats, std::move(job), make_error(errc::aborted, "the partition stops"));
	}
	s.scans.abort("the partition stops");
	auto failure = s.write_all();
	for (auto &job : s.clears)
		answer(s.stats, std::move(job), make_error(errc::aborted, "the partition stops"));
	s.clears.clear();
	s.hashing.forget_all();
	auto const flush_failure = s.handles.flush_all();
	if (!failure)
		failure = flush_failure;
	s.cache.evict_clean(s.cache.clean_blocks());
	s.handles.close_all();
	s.publish_gauges();
	if (failure)
		return *std::move(failure);
	return {};
}

void partition_engine::impl::apply_limits()
{
	// Half of the share at most: reading ahead must not push out what it has just read.
	ahead.set_limit(std::min(limits.prefetch_bytes / block_bytes, limits.cache_blocks_max / 2));
	cache.set_wanted_max(limits.cache_blocks_max / 2);
	scans.set_window(limits.cache_blocks_max / 2);
	handles.set_retry_limits(limits.retries);
}

void partition_engine::impl::dispatch(job_ptr job)
{
	// What changes a piece comes after the reads before it.
	if (job->kind != job_kind::read)
		finish_reads();
	switch (job->kind) {
	case job_kind::warm:
		return do_warm(std::move(job));
	case job_kind::read:
		return do_read(std::move(job));
	case job_kind::write:
		return do_write(std::move(job));
	case job_kind::hash_piece:
	case job_kind::hash_block:
		return do_hash(std::move(job));
	case job_kind::clear_piece:
		return do_clear(std::move(job));
	case job_kind::open: {
		auto const opened = handles.acquire(job->target);
		if (!opened)
			return answer(stats, std::move(job), opened.failure());
		return answer(stats, std::move(job));
	}
	case job_kind::write_back:
		return do_write_back(std::move(job));
	case job_kind::sync:
		return do_sync(std::move(job));
	case job_kind::release:
		return do_release(std::move(job));
	case job_kind::discard:
		return do_discard(std::move(job));
	}
}

void partition_engine::impl::do_write(job_ptr job)
{
	auto const aborted = [this](job_ptr late) {
		late->block = {};
		auto e = make_error(errc::aborted, "not written, since the target failed before");
		e.device = late->target->claim().path();
		answer(stats, std::move(late), std::move(e));
	};
	if (job->target->has_failed())
		return aborted(std::move(job));
	auto const opened = handles.acquire(job->target);
	if (!opened) {
		job->block = {};
		job->is_first_failure = job->target->fail(opened.failure());
		return answer(stats, std::move(job), opened.failure());
	}
	auto const id = job->target->id();
	auto const index = job->offset_bytes / block_bytes;
	scans.finish(id, job->piece);
	auto *known = cache.find(id, job->piece);
	if (known != nullptr && known->slots[index].writer) {
		// The older data must have its own result before the newer takes its place.
		write_piece(id, job->piece);
		if (job->target->has_failed())
			return aborted(std::move(job));
	}
	auto &piece = cache.get(id, job->piece, job->target->pieces().blocks_in_piece(job->piece));
	cache.insert_dirty(piece, index, std::move(job), clock());
	enforce_share();
}

void partition_engine::impl::do_read(job_ptr job)
{
	if (is_read_in_batch(*job))
		reads.push_back(std::move(job));
	else
		read_now(std::move(job));
}

/// Does it need the device, and does that do better with several transfers at a time?
bool partition_engine::impl::is_read_in_batch(disk_job const &job)
{
	auto *const open = handles.find(job.target->id());
	if (job.is_volatile || !waiting.empty() || limits.cache_blocks_max < batch_share_blocks_min ||
		open == nullptr || open->device->queue_depth() < 2)
		return false;
	return uncached_blocks(job) > 0;
}

void partition_engine::impl::finish_reads()
{
	if (reads.empty())
		return;
	auto batch = std::exchange(reads, {});
	std::vector<std::uint32_t> missed(batch.size());
	if (batch.size() > 1) {
		misses.clear();
		for (std::size_t i = 0; i < batch.size(); ++i)
			missed[i] = plan_misses(*batch[i]);
		load_together();
	}
	for (std::size_t i = 0; i < batch.size(); ++i) {
		// Those that could not be loaded are still to be.
		auto const loaded = missed[i] - std::min(missed[i], uncached_blocks(*batch[i]));
		stats.ahead_blocks.fetch_sub(loaded, relaxed);
		read_now(std::move(batch[i]), loaded);
	}
}

std::uint32_t partition_engine::impl::uncached_blocks(disk_job const &job)
{
	auto const first = job.offset_bytes / block_bytes;
	auto const last = (job.offset_bytes + job.length_bytes - 1) / block_bytes;
	auto const *const piece = cache.find(job.target->id(), job.piece);
	std::uint32_t count = 0;
	for (auto index = first; index <= last; ++index)
		count += piece == nullptr || !piece->slots[index].block ? 1 : 0;
	return count;
}

/// Blocks of the job that neither the cache has nor a read before it brings in; they are added to the plan,
/// with what is read ahead.
std::uint32_t partition_engine::impl::plan_misses(disk_job const &job)
{
	auto const first = job.offset_bytes / block_bytes;
	auto const last = (job.offset_bytes + job.length_bytes - 1) / block_bytes;
	auto const *const piece = cache.find(job.target->id(), job.piece);
	std::uint32_t missed = 0;
	for (auto index = first; index <= last; ++index) {
		bool const is_cached = piece != nullptr && piece->slots[index].block;
		if (is_cached || misses.covers(job, index))
			continue;
		++missed;
		misses.add(job, index, blocks_to_load(job, index));
	}
	return missed;
}

/// Reads what the plan says into the cache, as far as there is memory. A failure is not told to anyone: the
/// read that meets it again has it.
void partition_engine::impl::load_together()
{
	// What is loaded must still be there when it is handed out.
	auto const most = limits.cache_blocks_max / 4;
	std::vector<piece_reader::stretch> stretches;
	std::vector<read_buffer> buffers;
	fresh.clear();
	for (auto const &wanted : misses.merge()) {
		auto const own = reader.take_blocks(fresh, std::min<std::size_t>(wanted.count, most - fresh.size()));
		piece_reader::stretch run{wanted.job, wanted.first, static_cast<std::uint32_t>(own.size()), {}};
		if (run.count == 0)
			break;
		for (std::uint32_t i = 0; i < run.count; ++i)
			buffers.push_back({own[i].data(), block_length(*run.job, run.first + i)});
		stretches.push_back(std::move(run));
	}
	reader.fill_all(stretches, buffers);
	auto loaded = std::exchange(fresh, {});
	std::span<block_ref const> rest(loaded);
	for (auto const &run : stretches) {
		auto const blocks = rest.first(run.count);
		rest = rest.subspan(run.count);
		if (!run.outcome)
			continue;
		stats.ahead_blocks.fetch_add(run.count, relaxed);
		keep(*run.job, run.first, blocks, 0);
	}
}

void partition_engine::impl::read_now(job_ptr job, std::uint32_t missed)
{
	// Those that wait come first, or a stream of readers could starve one of them.
	if (read(job, waiting.empty(), missed) == outcome::done)
		return;
	if (waiting.empty())
		last_retry = clock();
	waiting.push_back(std::move(job));
}

/// Answers the read unless it needs a block that cannot be had.
/// @p missed: so many of its blocks were read for it just now, and count as misses.
partition_engine::impl::outcome partition_engine::impl::read(
	job_ptr &job, bool may_allocate, std::uint32_t missed)
{
	auto const first = job->offset_bytes / block_bytes;
	auto const last = (job->offset_bytes + job->length_bytes - 1) / block_bytes;
	std::array<block_ref, 2> parts;
	std::uint64_t hits = 0;
	for (auto index = first; index <= last; ++index) {
		auto &part = parts[index - first];
		part = reader.cached(*job, index);
		if (part) {
			++hits;
			continue;
		}
		if (!may_allocate)
			return outcome::no_block;
		auto const state = load(*job, index, part);
		if (state == load_state::no_block)
			return outcome::no_block;
		if (state == load_state::failed) {
			answer(stats, std::move(job));
			return outcome::done;
		}
	}
	auto const within = job->offset_bytes % block_bytes;
	if (first == last) {
		job->block = std::move(parts[0]);
		job->block_offset_bytes = within;
	} else {
		auto whole = may_allocate ? reader.take_block() : block_ref{};
		if (!whole)
			return outcome::no_block;
		auto const head = block_bytes - within;
		std::memcpy(whole.data(), parts[0].data() + within, head);
		std::memcpy(whole.data() + head, parts[1].data(), job->length_bytes - head);
		job->block = std::move(whole);
		job->block_offset_bytes = 0;
	}
	hits -= std::min<std::uint64_t>(hits, missed);
	stats.cache_hits.fetch_add(hits, relaxed);
	stats.cache_misses.fetch_add(last - first + 1 - hits, relaxed);
	if (!job->is_volatile) {
		for (auto index = first; index <= last; ++index)
			note_served(*job, index);
	}
	auto const target = job->target;
	auto const piece = job->piece;
	// Blocks are for those who wait first.
	bool const goes_on = waiting.empty() && !job->is_volatile && is_read_on(*job, last);
	answer(stats, std::move(job));
	if (goes_on)
		read_on(target, piece, last + 1);
	return outcome::done;
}

/// Is the block after the one at @p index to be read now, since it will be asked for next?
bool partition_engine::impl::is_read_on(disk_job const &job, std::uint32_t index)
{
	if (!ahead.reads_on() || index == 0)
		return false;
	auto const *const piece = cache.find(job.target->id(), job.piece);
	if (piece == nullptr || index + 1 >= piece->slots.size())
		return false;
	auto const &slots = piece->slots;
	return slots[index].is_served && slots[index - 1].is_served && !slots[index + 1].block;
}

/// For the cache and for reading ahead. A block counts when its last byte goes out, so that a client whose
/// requests do not end where blocks do counts once for each block.
void partition_engine::impl::note_served(disk_job const &job, std::uint32_t index)
{
	if (job.offset_bytes + job.length_bytes < index * block_bytes + block_length(job, index))
		return;
	auto *const piece = cache.find(job.target->id(), job.piece);
	if (piece == nullptr || !piece->slots[index].block)
		return;
	if (piece->audience != job.target->audience())
		piece->audience = job.target->audience();
	cache.serve(*piece, index, job.target->readers());
	if (index + 1 == piece->slots.size() && (index == 0 || piece->slots[index - 1].is_served))
		ahead.piece_ended();
}

/// Reads a block that is not cached, and what follows it in the piece; sets the job's failure.
partition_engine::impl::load_state partition_engine::impl::load(
	disk_job &job, std::uint32_t index, block_ref &wanted)
{
	auto const opened = handles.acquire(job.target);
	if (!opened) {
		job.failure = opened.failure();
		return load_state::failed;
	}
	auto const count = blocks_to_load(job, index);
	fresh.clear();
	if (reader.take_blocks(fresh, count).empty())
		return load_state::no_block;
	auto filled = reader.fill(job, index, fresh);
	if (!filled && fresh.size() > 1) {
		// The bad spot may lie in what nobody asked for.
		fresh.resize(1);
		filled = reader.fill(job, index, fresh);
	}
	if (!filled) {
		fresh.clear();
		job.failure = filled.failure();
		return load_state::failed;
	}
	wanted = fresh.front();
	if (!job.is_volatile) {
		stats.ahead_blocks.fetch_add(fresh.size() - 1, relaxed);
		keep(job, index, fresh, 1);
	}
	fresh.clear();
	return load_state::loaded;
}

/// Reads what a reader of whole pieces asks for next, right after it was given the last block that was
/// cached. A failure is not told to anyone: who asks for the block meets it again.
void partition_engine::impl::read_on(std::shared_ptr<storage> target, piece_index piece, std::uint32_t index)
{
	disk_job onward;
	onward.target = std::move(target);
	onward.piece = piece;
	block_ref next;
	if (load(onward, index, next) != load_state::loaded)
		return;
	stats.ahead_blocks.fetch_add(1, relaxed);
	if (auto *const known = cache.find(onward.target->id(), piece))
		known->slots[index].is_ahead = static_cast<bool>(known->slots[index].block);
}

/// How many blocks to read when the one at @p index is missing, itself included.
std::uint32_t partition_engine::impl::blocks_to_load(disk_job const &job, std::uint32_t index)
{
	if (job.is_volatile)
		return 1;
	read_ahead::miss at;
	at.index = index;
	at.blocks = job.target->pieces().blocks_in_piece(job.piece);
	if (auto const *const piece = cache.find(job.target->id(), job.piece)) {
		auto const &slots = piece->slots;
		at.is_shared = piece->is_shared;
		if (index > 0 && slots[index - 1].is_served) {
			while (at.run_before < index && slots[index - 1 - at.run_before].block)
				++at.run_before;
		}
	}
	return reader.missing_run(job, index, index + ahead.decide(at));
}

/// Keeps what was read from the device for those who ask next: a source hashes a piece just before it sends
/// it. Those from @p asked on were read ahead.
void partition_engine::impl::keep(
	disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks, std::uint32_t asked)
{
	auto &piece = cache.get(job.target->id(), job.piece, job.target->pieces().blocks_in_piece(job.piece));
	for (std::uint32_t i = 0; i < blocks.size(); ++i)
		cache.insert_clean(piece, first + i, blocks[i], i >= asked);
	enforce_share();
}

/// Waits for nothing and pushes out nothing that may be asked for: where there is no room, the job ends.
void partition_engine::impl::do_warm(job_ptr job)
{
	auto const opened = handles.acquire(job->target);
	if (!opened)
		return answer(stats, std::move(job), opened.failure());
	auto const id = job->target->id();
	auto const stretch_end = job->offset_bytes + job->length_bytes;
	auto const end = (stretch_end + block_bytes - 1) / block_bytes;
	for (auto index = job->offset_bytes / block_bytes; index < end;) {
		auto const *const piece = cache.find(id, job->piece);
		if (piece != nullptr && piece->slots[index].block) {
			++index;
			continue;
		}
		auto const room = make_room(reader.missing_run(*job, index, end), id);
		fresh.clear();
		if (reader.take_free_blocks(fresh, room).empty())
			break;
		auto const loaded = static_cast<std::uint32_t>(fresh.size());
		if (auto const filled = reader.fill(*job, index, fresh); !filled) {
			fresh.clear();
			return answer(stats, std::move(job), filled.failure());
		}
		keep(*job, index, fresh);
		fresh.clear();
		index += loaded;
	}
	if (auto const *const piece = cache.find(id, job->piece)) {
		for (auto index = job->offset_bytes / block_bytes; index < end; ++index) {
			if (piece->slots[index].block)
				job->cached_bytes += std::min(block_bytes, stretch_end - index * block_bytes);
		}
	}
	answer(stats, std::move(job));
}

/// How many of the blocks that a warm-up wants fit in the share, at the cost of what it may push out.
std::uint32_t partition_engine::impl::make_room(std::uint32_t blocks, storage_id warming)
{
	auto const held = cache.clean_blocks() + cache.dirty_blocks();
	auto const free = limits.cache_blocks_max > held ? limits.cache_blocks_max - held : 0;
	if (free >= blocks)
		return blocks;
	return std::min(blocks, free + cache.evict_for_warming(blocks - free, warming));
}

void partition_engine::impl::do_hash(job_ptr job)
{
	if (job->submitted == monotonic_time{})
		job->submitted = monotonic_clock::now();
	auto const id = job->target->id();
	if (job->bypass_cache)
		write_piece(id, job->piece);
	else if (auto *const piece = cache.find(id, job->piece); piece != nullptr && piece->dirty_blocks > 0)
		piece->is_hash_asked = job->kind == job_kind::hash_piece;
	if (job->kind == job_kind::hash_piece && (job->bypass_cache || job->is_volatile))
		scans.add(std::move(job));
	else
		hashing.hash(std::move(job));
}

void partition_engine::impl::do_clear(job_ptr job)
{
	auto const id = job->target->id();
	scans.finish(id, job->piece);
	write_piece(id, job->piece);
	abort_waiting(id, job->piece, "the piece was cleared");
	[[maybe_unused]] auto const dirty = cache.forget_piece(id, job->piece);
	assert(dirty.empty());
	if (hashing.is_running(id, job->piece)) {
		if (waiting.empty() && clears.empty())
			last_retry = clock();
		clears.push_back(std::move(job));
		return;
	}
	answer(stats, std::move(job));
}

void partition_engine::impl::do_write_back(job_ptr job)
{
	if (auto const failure = write_storage(job->target->id()))
		return answer(stats, std::move(job), *failure);
	if (auto const earlier = job->target->failure())
		return answer(stats, std::move(job), *earlier);
	answer(stats, std::move(job));
}

void partition_engine::impl::do_sync(job_ptr job)
{
	auto const failure = write_storage(job->target->id());
	if (failure)
		return answer(stats, std::move(job), *failure);
	if (auto const earlier = job->target->failure())
		return answer(stats, std::move(job), *earlier);
	auto const opened = handles.acquire(job->target);
	if (!opened)
		return answer(stats, std::move(job), opened.failure());
	bool is_first = false;
	auto const flushed = handles.flush(**opened, is_first);
	if (!flushed) {
		job->is_first_failure = is_first;
		return answer(stats, std::move(job), flushed.failure());
	}
	// Another partition's write may have failed meanwhile.
	if (auto const failed = job->target->failure())
		return answer(stats, std::move(job), *failed);
	answer(stats, std::move(job));
}

void partition_engine::impl::do_release(job_ptr job)
{
	auto const id = job->target->id();
	scans.finish(id);
	auto failure = write_storage(id);
	if (!failure)
		failure = job->target->failure();
	// A later handle cannot vouch for what went through this one.
	if (auto *const open = handles.find(id); open != nullptr && open->is_unsynced && !failure) {
		if (auto const flushed = handles.flush(*open, job->is_first_failure); !flushed)
			failure = flushed.failure();
	}
	abort_waiting(id, std::nullopt, "the storage was released");
	[[maybe_unused]] auto const dirty = cache.forget_storage(id);
	assert(dirty.empty());
	handles.close(id);
	if (failure)
		return answer(stats, std::move(job), *std::move(failure));
	answer(stats, std::move(job));
}

void partition_engine::impl::do_discard(job_ptr job)
{
	auto const id = job->target->id();
	scans.finish(id);
	for (auto &dirty : cache.forget_storage(id)) {
		dirty->block = {};
		answer(stats, std::move(dirty), make_error(errc::aborted, "the data was discarded"));
	}
	abort_waiting(id, std::nullopt, "the data was discarded");
	handles.distrust(id);
	answer(stats, std::move(job));
}

template <class Predicate>
std::optional<error> partition_engine::impl::write_dirty(Predicate &&is_wanted, bool is_pressed)
{
	flush_rules rules;
	rules.coalesce_blocks = std::max(limits.coalesce_bytes / block_bytes, 1U);
	writer.set_coalescing(limits.coalesce_bytes != 0);
	rules.delay = limits.coalesce_delay;
	rules.now = clock();
	rules.is_pressed = is_pressed;
	for (auto *const piece : cache.dirty_pieces()) {
		if (!is_wanted(*piece))
			continue;
		bool const is_ripe = is_pressed || piece->is_changed || piece->is_hash_asked ||
			rules.now - piece->oldest_dirty >= rules.delay;
		if (!is_ripe)
			continue;
		auto const blocks = static_cast<std::uint32_t>(piece->slots.size());
		dirty_view view;
		view.bits = piece->dirty_bits;
		view.blocks = blocks;
		view.is_complete = piece->is_hash_asked || piece->clean_blocks + piece->dirty_blocks == blocks;
		view.oldest = piece->oldest_dirty;
		piece->is_changed = false;
		runs.clear();
		if (choose_runs(view, rules, runs) != flush_reason::none)
			writer.plan(*piece, runs);
	}
	return writer.execute();
}

std::optional<error> partition_engine::impl::write_all()
{
	return write_dirty([](cached_piece const &) { return true; }, true);
}

std::optional<error> partition_engine::impl::write_storage(storage_id id)
{
	return write_dirty([id](cached_piece const &piece) { return piece.storage == id; }, true);
}

void partition_engine::impl::write_piece(storage_id id, piece_index number)
{
	write_dirty(
		[id, number](cached_piece const &piece) { return piece.storage == id && piece.piece == number; },
		true);
}

/// Clean and dirty blocks together stay within the share: clean ones go first, then dirty ones are written.
void partition_engine::impl::enforce_share()
{
	auto const excess = [this]() {
		auto const held = cache.clean_blocks() + cache.dirty_blocks();
		return held > limits.cache_blocks_max ? held - limits.cache_blocks_max : 0;
	};
	cache.evict_clean(excess());
	if (excess() == 0)
		return;
	write_all();
	cache.evict_clean(excess());
}

void partition_engine::impl::retry_waiting()
{
	if (waiting.empty())
		return;
	last_retry = clock();
	bool is_written = false;
	while (!waiting.empty()) {
		auto job = std::move(waiting.front());
		waiting.pop_front();
		if (read(job, true) == outcome::done)
			continue;
		waiting.push_front(std::move(job));
		if (is_written || cache.dirty_blocks() == 0)
			return;
		// Our own dirty blocks are memory too: written, they can make room.
		write_all();
		is_written = true;
	}
}

void partition_engine::impl::finish_clears()
{
	if (hashing.is_idle() && clears.empty())
		return;
	if (clears.empty())
		return;
	last_retry = clock();
	for (auto &job : clears) {
		if (!hashing.is_running(job->target->id(), job->piece))
			answer(stats, std::move(job));
	}
	std::erase(clears, nullptr);
}

void partition_engine::impl::abort_waiting(storage_id id, std::optional<piece_index> piece, char const *why)
{
	for (auto &job : waiting) {
		if (job->target->id() == id && (!piece || job->piece == *piece))
			answer(stats, std::move(job), make_error(errc::aborted, why));
	}
	std::erase(waiting, nullptr);
}

void partition_engine::impl::publish_gauges()
{
	auto const unused = cache.evicted_unused();
	ahead.went_unused(unused - stats.ahead_unused_blocks.exchange(unused, relaxed));
	stats.blocks_clean.store(cache.clean_blocks(), relaxed);
	stats.blocks_dirty.store(cache.dirty_blocks(), relaxed);
	stats.jobs_waiting.store(waiting.size(), relaxed);
}

} // namespace ezio
