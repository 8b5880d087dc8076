#include "actors/core/piece_hashing.hpp"

#include "actors/core/job_blocks.hpp"
#include "actors/core/write_back.hpp"

#include <algorithm>
#include <utility>

namespace ezio
{
namespace
{

constexpr auto relaxed = std::memory_order_relaxed;
/// Blocks of one hash task, and of one read for it: 1 MiB.
constexpr std::uint32_t task_blocks = 64;
constexpr std::uint32_t scratch_blocks = 16;

/// Do its hits and misses say something about the cache? Checks and verifications go around it.
bool is_counted(disk_job const &job)
{
	return !job.is_volatile && !job.bypass_cache;
}

} // namespace

void piece_hashing::hash(job_ptr job)
{
	bool const is_block = job->kind == job_kind::hash_block;
	auto const first = is_block ? job->offset_bytes / block_bytes : 0;
	auto const count = is_block ? 1 : job->target->pieces().blocks_in_piece(job->piece);
	if (is_block) {
		job->want_block_sha256 = true;
		job->want_sha1 = false;
	}
	if (!hash_in_pool(job, first, count))
		hash_here(std::move(job), first, count);
}

void piece_hashing::hash_here(job_ptr job)
{
	auto const blocks = job->target->pieces().blocks_in_piece(job->piece);
	hash_here(std::move(job), 0, blocks);
}

void piece_hashing::watch(disk_job const &job, std::weak_ptr<hash_stream> stream)
{
	m_running.push_back({job.target->id(), job.piece, std::move(stream)});
}

bool piece_hashing::is_running(storage_id id, piece_index piece) const
{
	return std::any_of(m_running.begin(), m_running.end(),
		[id, piece](running_hash const &r) { return r.id == id && r.piece == piece && !r.stream.expired(); });
}

bool piece_hashing::is_idle()
{
	std::erase_if(m_running, [](running_hash const &r) { return r.stream.expired(); });
	return m_running.empty();
}

/// Hands the blocks to the dispatcher, task by task. False where no memory can be had: the job is untouched
/// then, and what was handed over before counts for nothing.
bool piece_hashing::hash_in_pool(job_ptr &job, std::uint32_t first, std::uint32_t count)
{
	auto stream = m_hashers.open_stream(job->want_sha1, job->want_block_sha256);
	std::weak_ptr<hash_stream> const watched = stream;
	auto const target = job->target;
	// However it ends: what was handed over keeps this partition, whose numbers it counts in.
	watch(*job, watched);
	auto const end = first + count;
	for (auto index = first; index < end;) {
		hash_task task;
		task.stream = stream;
		task.stats = &m_stats;
		auto const task_end = std::min(end, index + task_blocks);
		task.parts.reserve(task_end - index);
		std::uint64_t misses = 0;
		auto const begin = index;
		while (index < task_end) {
			auto const add = [&](block_ref block) {
				task.parts.push_back(
					{std::move(block), block_length(*job, index), sha256_length(*job, index)});
				++index;
			};
			if (auto block = job->bypass_cache ? block_ref{} : m_reader.cached(*job, index)) {
				add(std::move(block));
				continue;
			}
			auto const opened = m_handles.acquire(target);
			if (!opened) {
				answer(m_stats, std::move(job), opened.failure());
				return true;
			}
			auto const wanted = m_reader.missing_run(*job, index, task_end);
			m_fresh.clear();
			if (m_reader.take_blocks(m_fresh, wanted).size() < wanted) {
				m_fresh.clear();
				return false;
			}
			if (auto const filled = m_reader.fill(*job, index, m_fresh); !filled) {
				m_fresh.clear();
				answer(m_stats, std::move(job), filled.failure());
				return true;
			}
			misses += m_fresh.size();
			if (!job->is_volatile && !job->bypass_cache)
				m_keep(*job, index, m_fresh);
			for (auto &block : m_fresh)
				add(std::move(block));
			m_fresh.clear();
		}
		if (is_counted(*job)) {
			m_stats.cache_misses.fetch_add(misses, relaxed);
			m_stats.cache_hits.fetch_add(index - begin - misses, relaxed);
		}
		if (index == end) {
			task.job = std::move(job);
			stream.reset();
		}
		m_hashers.submit(std::move(task));
	}
	return true;
}

void piece_hashing::hash_here(job_ptr job, std::uint32_t first, std::uint32_t count)
{
	if (!m_scratch)
		m_scratch.reset(static_cast<std::byte *>(
			::operator new (std::size_t{scratch_blocks} * block_bytes, scratch_alignment)));
	auto const opened = m_handles.acquire(job->target);
	if (!opened)
		return answer(m_stats, std::move(job), opened.failure());
	auto const stream = m_hashers.open_stream(job->want_sha1, job->want_block_sha256);
	std::uint64_t hashed_bytes = 0;
	auto const add = [&](std::byte const *bytes, std::uint32_t index) {
		busy_episode const episode(m_stats.hashing);
		auto const length = block_length(*job, index);
		stream->add_block({bytes, length}, sha256_length(*job, index));
		hashed_bytes += length;
	};
	auto const end = first + count;
	for (auto index = first; index < end;) {
		if (auto const block = job->bypass_cache ? block_ref{} : m_reader.cached(*job, index)) {
			add(block.data(), index++);
			m_stats.cache_hits.fetch_add(is_counted(*job) ? 1 : 0, relaxed);
			continue;
		}
		auto const blocks = m_reader.missing_run(*job, index, std::min(end, index + scratch_blocks));
		auto const payload = payload_of(*job, index, blocks);
		read_buffer const buffer{m_scratch.get(), static_cast<std::size_t>(payload.length_bytes)};
		auto const read = m_handles.read_payload(**opened, payload, {&buffer, 1});
		if (!read)
			return answer(m_stats, std::move(job), read.failure());
		m_stats.cache_misses.fetch_add(is_counted(*job) ? blocks : 0, relaxed);
		for (std::uint32_t i = 0; i < blocks; ++i)
			add(m_scratch.get() + std::size_t{i} * block_bytes, index + i);
		index += blocks;
	}
	stream->finish(*job);
	m_stats.hashed_bytes.fetch_add(hashed_bytes, relaxed);
	if (job->failure)
		m_stats.errors.fetch_add(1, relaxed);
	else
		m_stats.hash_latency.record(monotonic_clock::now() - job->submitted);
	answer(m_stats, std::move(job));
}

} // namespace ezio
