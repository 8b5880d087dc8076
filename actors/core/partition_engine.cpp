#include "actors/core/partition_engine.hpp"

#include "actors/core/cache_shard.hpp"
#include "actors/core/flush_policy.hpp"
#include "actors/core/read_ahead.hpp"
#include "actors/core/storage_handles.hpp"
#include "actors/core/write_back.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <deque>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace ezio
{
namespace
{

constexpr auto relaxed = std::memory_order_relaxed;
/// How soon a read that found no free block tries again.
constexpr auto retry_interval = std::chrono::milliseconds(5);
/// Blocks of one hash task, and of one read for it: 1 MiB.
constexpr std::uint32_t hash_task_blocks = 64;
constexpr std::uint32_t scratch_blocks = 16;
constexpr std::align_val_t scratch_alignment{4096};

struct scratch_deleter {
	void operator()(std::byte *bytes) const { ::operator delete(bytes, scratch_alignment); }
};

std::uint32_t block_length(disk_job const &job, std::uint32_t index)
{
	return std::min(block_bytes, job.target->pieces().piece_size(job.piece) - index * block_bytes);
}

byte_range payload_of(disk_job const &job, std::uint32_t first, std::uint32_t count)
{
	auto const size = job.target->pieces().piece_size(job.piece);
	auto const begin = first * block_bytes;
	return {
		job.target->pieces().piece_offset(job.piece) + begin, std::min(count * block_bytes, size - begin)};
}

/// What the SHA-256 of a block covers, in bytes from its start.
std::uint32_t sha256_length(disk_job const &job, std::uint32_t index)
{
	auto const length = block_length(job, index);
	auto const begin = index * block_bytes;
	if (job.kind == job_kind::hash_block) {
		auto const asked = job.length_bytes != 0 ? std::min(length, job.length_bytes) : length;
		return job.sha256_bytes > begin ? std::min(asked, job.sha256_bytes - begin) : asked;
	}
	return job.sha256_bytes > begin ? std::min(length, job.sha256_bytes - begin) : 0;
}

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
	struct running_hash {
		storage_id id{};
		piece_index piece{};
		std::weak_ptr<hash_stream> stream;
	};

	impl(block_arena &blocks, hash_dispatcher &dispatcher, partition_stats &counters, engine_limits bounds,
		clock_function time, wait_function wait)
		: arena(blocks), hashers(dispatcher), stats(counters), limits(bounds), clock(std::move(time)),
		  handles(counters, clock, std::move(wait)), writer(cache, handles, counters)
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

	outcome read(job_ptr &job, bool may_allocate);
	load_state load(disk_job &job, std::uint32_t index, block_ref &wanted);
	result<void> fill(disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks);
	void keep(disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks,
		std::uint32_t asked = ~std::uint32_t{0});
	std::uint32_t blocks_to_load(disk_job const &job, std::uint32_t index);
	void note_served(disk_job const &job, std::uint32_t index);
	bool is_read_on(disk_job const &job, std::uint32_t index);
	void read_on(std::shared_ptr<storage> target, piece_index piece, std::uint32_t index);
	outcome hash_in_pool(job_ptr &job, std::uint32_t first, std::uint32_t count);
	void hash_here(job_ptr job, std::uint32_t first, std::uint32_t count);
	block_ref cached(disk_job const &job, std::uint32_t index);
	std::uint32_t missing_run(disk_job const &job, std::uint32_t first, std::uint32_t end);

	block_ref take_block();
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
	bool is_hashing(storage_id id, piece_index piece) const;
	void publish_gauges();

	block_arena &arena;
	hash_dispatcher &hashers;
	partition_stats &stats;
	engine_limits limits;
	clock_function clock;
	cache_shard cache;
	read_ahead ahead;
	storage_handles handles;
	write_back writer;
	std::deque<job_ptr> waiting;       ///< reads without a block, in order
	std::vector<job_ptr> clears;       ///< clear_piece jobs that wait for hashers
	std::vector<running_hash> running; ///< pieces that hashers may still hold
	monotonic_time last_retry{};
	bool is_stopped = false;
	// Kept for their memory.
	std::vector<block_run> runs;
	std::vector<block_ref> fresh;
	std::vector<read_buffer> buffers;
	std::unique_ptr<std::byte, scratch_deleter> scratch;
};

partition_engine::partition_engine(block_arena &arena, hash_dispatcher &hashers, partition_stats &stats,
	engine_limits limits, clock_function clock, wait_function wait)
	: m_impl(std::make_unique<impl>(arena, hashers, stats, limits, std::move(clock), std::move(wait)))
{
}

partition_engine::~partition_engine()
{
	assert(m_impl->waiting.empty() && m_impl->clears.empty() && m_impl->cache.dirty_blocks() == 0);
}

void partition_engine::process(job_ptr job)
{
	m_impl->stats.queue_depth.fetch_add(1, relaxed);
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
	m_impl->write_dirty([](cached_piece const &) { return true; }, false);
	m_impl->enforce_share();
	m_impl->retry_waiting();
	m_impl->finish_clears();
	m_impl->publish_gauges();
}

void partition_engine::flush_all()
{
	m_impl->write_all();
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
	return deadline;
}

void partition_engine::set_limits(engine_limits limits)
{
	m_impl->limits = limits;
	m_impl->apply_limits();
	m_impl->enforce_share();
	m_impl->publish_gauges();
}

bool partition_engine::drain()
{
	auto &s = *m_impl;
	s.write_all();
	// Frees what the waiting reads may need, and then what these have brought in.
	s.cache.evict_clean(s.cache.clean_blocks());
	s.retry_waiting();
	s.finish_clears();
	s.cache.evict_clean(s.cache.clean_blocks());
	s.publish_gauges();
	return s.waiting.empty() && s.clears.empty() && s.running.empty();
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
	while (!s.waiting.empty()) {
		auto job = std::move(s.waiting.front());
		s.waiting.pop_front();
		answer(s.stats, std::move(job), make_error(errc::aborted, "the partition stops"));
	}
	auto failure = s.write_all();
	for (auto &job : s.clears)
		answer(s.stats, std::move(job), make_error(errc::aborted, "the partition stops"));
	s.clears.clear();
	s.running.clear();
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
	handles.set_retry_limits(limits.retries);
}

void partition_engine::impl::dispatch(job_ptr job)
{
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
	// Those that wait come first, or a stream of readers could starve one of them.
	if (read(job, waiting.empty()) == outcome::done)
		return;
	if (waiting.empty())
		last_retry = clock();
	waiting.push_back(std::move(job));
}

/// Answers the read unless it needs a block that cannot be had.
partition_engine::impl::outcome partition_engine::impl::read(job_ptr &job, bool may_allocate)
{
	auto const first = job->offset_bytes / block_bytes;
	auto const last = (job->offset_bytes + job->length_bytes - 1) / block_bytes;
	std::array<block_ref, 2> parts;
	std::uint64_t hits = 0;
	for (auto index = first; index <= last; ++index) {
		auto &part = parts[index - first];
		part = cached(*job, index);
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
		auto whole = may_allocate ? take_block() : block_ref{};
		if (!whole)
			return outcome::no_block;
		auto const head = block_bytes - within;
		std::memcpy(whole.data(), parts[0].data() + within, head);
		std::memcpy(whole.data() + head, parts[1].data(), job->length_bytes - head);
		job->block = std::move(whole);
		job->block_offset_bytes = 0;
	}
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
	while (fresh.size() < count) {
		auto block = take_block();
		if (!block)
			break;
		fresh.push_back(std::move(block));
	}
	if (fresh.empty())
		return load_state::no_block;
	auto filled = fill(job, index, fresh);
	if (!filled && fresh.size() > 1) {
		// The bad spot may lie in what nobody asked for.
		fresh.resize(1);
		filled = fill(job, index, fresh);
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
	return missing_run(job, index, index + ahead.decide(at));
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

/// Reads consecutive blocks of the job's piece from the device.
result<void> partition_engine::impl::fill(
	disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks)
{
	buffers.clear();
	for (std::uint32_t i = 0; i < blocks.size(); ++i)
		buffers.push_back({blocks[i].data(), block_length(job, first + i)});
	auto *const open = handles.find(job.target->id());
	assert(open != nullptr);
	return handles.read_payload(
		*open, payload_of(job, first, static_cast<std::uint32_t>(blocks.size())), buffers);
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
		auto const room = make_room(missing_run(*job, index, end), id);
		fresh.clear();
		while (fresh.size() < room) {
			auto block = arena.allocate(block_purpose::read);
			if (!block)
				break;
			fresh.push_back(std::move(block));
		}
		if (fresh.empty())
			break;
		auto const loaded = static_cast<std::uint32_t>(fresh.size());
		if (auto const filled = fill(*job, index, fresh); !filled) {
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

	bool const is_block = job->kind == job_kind::hash_block;
	auto const first = is_block ? job->offset_bytes / block_bytes : 0;
	auto const count = is_block ? 1 : job->target->pieces().blocks_in_piece(job->piece);
	if (is_block) {
		job->want_block_sha256 = true;
		job->want_sha1 = false;
	}
	if (hash_in_pool(job, first, count) == outcome::no_block)
		hash_here(std::move(job), first, count);
}

/// Hands the blocks to the dispatcher, task by task. On no_block the job is untouched, and what was handed
/// over before counts for nothing.
partition_engine::impl::outcome partition_engine::impl::hash_in_pool(
	job_ptr &job, std::uint32_t first, std::uint32_t count)
{
	auto stream = hashers.open_stream(job->want_sha1, job->want_block_sha256);
	std::weak_ptr<hash_stream> const watched = stream;
	auto const id = job->target->id();
	auto const number = job->piece;
	auto const end = first + count;
	for (auto index = first; index < end;) {
		hash_task task;
		task.stream = stream;
		task.stats = &stats;
		auto const task_end = std::min(end, index + hash_task_blocks);
		task.parts.reserve(task_end - index);
		std::uint64_t misses = 0;
		auto const begin = index;
		while (index < task_end) {
			auto const add = [&](block_ref block) {
				task.parts.push_back(
					{std::move(block), block_length(*job, index), sha256_length(*job, index)});
				++index;
			};
			if (auto block = job->bypass_cache ? block_ref{} : cached(*job, index)) {
				add(std::move(block));
				continue;
			}
			auto const opened = handles.acquire(job->target);
			if (!opened) {
				answer(stats, std::move(job), opened.failure());
				return outcome::done;
			}
			auto const wanted = missing_run(*job, index, task_end);
			fresh.clear();
			while (fresh.size() < wanted) {
				auto block = take_block();
				if (!block) {
					fresh.clear();
					return outcome::no_block;
				}
				fresh.push_back(std::move(block));
			}
			if (auto const filled = fill(*job, index, fresh); !filled) {
				fresh.clear();
				answer(stats, std::move(job), filled.failure());
				return outcome::done;
			}
			misses += fresh.size();
			if (!job->is_volatile && !job->bypass_cache)
				keep(*job, index, fresh);
			for (auto &block : fresh)
				add(std::move(block));
			fresh.clear();
		}
		stats.cache_misses.fetch_add(misses, relaxed);
		stats.cache_hits.fetch_add(index - begin - misses, relaxed);
		if (index == end) {
			task.job = std::move(job);
			stream.reset();
		}
		hashers.submit(std::move(task));
	}
	if (!watched.expired())
		running.push_back({id, number, watched});
	return outcome::done;
}

/// Hashes in this thread through a small buffer of its own: slower, but needs nothing of the budget.
void partition_engine::impl::hash_here(job_ptr job, std::uint32_t first, std::uint32_t count)
{
	if (!scratch)
		scratch.reset(static_cast<std::byte *>(
			::operator new (std::size_t{scratch_blocks} * block_bytes, scratch_alignment)));
	auto const opened = handles.acquire(job->target);
	if (!opened)
		return answer(stats, std::move(job), opened.failure());
	auto const stream = hashers.open_stream(job->want_sha1, job->want_block_sha256);
	std::uint64_t hashed_bytes = 0;
	auto const add = [&](std::byte const *bytes, std::uint32_t index) {
		auto const length = block_length(*job, index);
		stream->add_block({bytes, length}, sha256_length(*job, index));
		hashed_bytes += length;
	};
	auto const end = first + count;
	for (auto index = first; index < end;) {
		if (auto const block = job->bypass_cache ? block_ref{} : cached(*job, index)) {
			add(block.data(), index++);
			stats.cache_hits.fetch_add(1, relaxed);
			continue;
		}
		auto const blocks = missing_run(*job, index, std::min(end, index + scratch_blocks));
		auto const payload = payload_of(*job, index, blocks);
		read_buffer const buffer{scratch.get(), static_cast<std::size_t>(payload.length_bytes)};
		auto const read = handles.read_payload(**opened, payload, {&buffer, 1});
		if (!read)
			return answer(stats, std::move(job), read.failure());
		stats.cache_misses.fetch_add(blocks, relaxed);
		for (std::uint32_t i = 0; i < blocks; ++i)
			add(scratch.get() + std::size_t{i} * block_bytes, index + i);
		index += blocks;
	}
	stream->finish(*job);
	stats.hashed_bytes.fetch_add(hashed_bytes, relaxed);
	if (job->failure)
		stats.errors.fetch_add(1, relaxed);
	else
		stats.hash_latency.record(monotonic_clock::now() - job->submitted);
	answer(stats, std::move(job));
}

void partition_engine::impl::do_clear(job_ptr job)
{
	auto const id = job->target->id();
	write_piece(id, job->piece);
	abort_waiting(id, job->piece, "the piece was cleared");
	[[maybe_unused]] auto const dirty = cache.forget_piece(id, job->piece);
	assert(dirty.empty());
	if (is_hashing(id, job->piece)) {
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
	for (auto &dirty : cache.forget_storage(id)) {
		dirty->block = {};
		answer(stats, std::move(dirty), make_error(errc::aborted, "the data was discarded"));
	}
	abort_waiting(id, std::nullopt, "the data was discarded");
	handles.distrust(id);
	answer(stats, std::move(job));
}

block_ref partition_engine::impl::cached(disk_job const &job, std::uint32_t index)
{
	auto *const piece = cache.find(job.target->id(), job.piece);
	if (piece == nullptr || !piece->slots[index].block)
		return {};
	cache.touch(*piece);
	return piece->slots[index].block;
}

/// Length of the run from @p first, which is to be read, before @p end.
std::uint32_t partition_engine::impl::missing_run(disk_job const &job, std::uint32_t first, std::uint32_t end)
{
	auto *const piece = job.bypass_cache ? nullptr : cache.find(job.target->id(), job.piece);
	auto index = first + 1;
	while (index < end && (piece == nullptr || !piece->slots[index].block))
		++index;
	return index - first;
}

/// A block for data from the device, at the cost of clean ones of our own if need be.
block_ref partition_engine::impl::take_block()
{
	auto block = arena.allocate(block_purpose::read);
	while (!block && cache.evict_unshared())
		block = arena.allocate(block_purpose::read);
	return block;
}

template <class Predicate>
std::optional<error> partition_engine::impl::write_dirty(Predicate &&is_wanted, bool is_pressed)
{
	flush_rules rules;
	rules.coalesce_blocks = std::max(limits.coalesce_bytes / block_bytes, 1U);
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
	std::erase_if(running, [](running_hash const &r) { return r.stream.expired(); });
	if (clears.empty())
		return;
	last_retry = clock();
	for (auto &job : clears) {
		if (!is_hashing(job->target->id(), job->piece))
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

bool partition_engine::impl::is_hashing(storage_id id, piece_index piece) const
{
	return std::any_of(running.begin(), running.end(),
		[id, piece](running_hash const &r) { return r.id == id && r.piece == piece && !r.stream.expired(); });
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
