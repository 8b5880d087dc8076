#include "actors/core/piece_scan.hpp"

#include "actors/core/job_blocks.hpp"
#include "actors/core/sha_lanes.hpp"
#include "actors/core/write_back.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

namespace ezio
{
namespace
{

/// Of a piece in one round. Past the page cache a read costs the least from some 256 KiB on; through it a
/// short one leaves what it copied in the processor's cache until it is hashed. Fewer pieces have more each.
constexpr std::uint32_t direct_part_blocks = 16;
constexpr std::uint32_t copied_part_blocks = 4;
/// Of the one piece that is read of a rotating disk: long, since partitions take turns there and the head
/// moves between them.
constexpr std::uint32_t rotating_part_blocks = 256;
/// Of a piece that is read alone.
constexpr std::uint32_t alone_part_blocks = 64;
/// What the cache has to give up for a scan where no memory is free.
constexpr std::uint32_t cache_blocks_given = 256;

} // namespace

/// Shared with the tickets of tasks under way. Sequentially consistent: the partition sets the mark and then
/// looks at the blocks, a hasher gives blocks back and then looks at the mark; one of them must see the
/// other, or nobody would go on.
struct piece_scan::window {
	explicit window(wake_function on_room) : wake(std::move(on_room)) {}

	wake_function const wake;
	std::atomic<std::uint32_t> blocks{0}; ///< with the hashers
	std::atomic<std::uint32_t> low{0};    ///< the next round may be read from here on
};

struct piece_scan::ticket {
	ticket(std::shared_ptr<window> of, std::uint32_t count) : counted(std::move(of)), blocks(count)
	{
		counted->blocks.fetch_add(blocks);
	}
	~ticket()
	{
		auto const before = counted->blocks.fetch_sub(blocks);
		auto const low = counted->low.load();
		if (before > low && before - blocks <= low && counted->wake)
			counted->wake();
	}
	ticket(ticket const &) = delete;
	ticket &operator=(ticket const &) = delete;

	std::shared_ptr<window> const counted;
	std::uint32_t const blocks;
};

piece_scan::piece_scan(piece_reader &reader, storage_handles &handles, piece_hashing &hashing,
	hash_dispatcher &hashers, partition_stats &stats, wake_function wake)
	: m_reader(reader), m_handles(handles), m_hashing(hashing), m_hashers(hashers), m_stats(stats),
	  m_window(std::make_shared<window>(std::move(wake)))
{
}

piece_scan::~piece_scan()
{
	assert(m_scans.empty());
}

void piece_scan::set_window(std::uint32_t blocks)
{
	m_window_blocks = std::max(blocks, 2U);
}

void piece_scan::add(job_ptr job)
{
	assert(job->kind == job_kind::hash_piece);
	auto &added = m_scans.emplace_back();
	added.end = job->target->pieces().blocks_in_piece(job->piece);
	added.job = std::move(job);
}

bool piece_scan::is_due() const
{
	return !m_scans.empty() && m_window->blocks.load() <= m_window->low.load();
}

/// How many pieces are read side by side.
std::uint32_t piece_scan::width(storage const &target) const
{
	return target.claim().geometry().is_rotational ? 1 : static_cast<std::uint32_t>(sha_lanes_max);
}

std::uint32_t piece_scan::part_blocks(storage const &target, std::size_t scans) const
{
	auto const &geometry = target.claim().geometry();
	auto best = geometry.is_direct ? direct_part_blocks : copied_part_blocks;
	if (geometry.is_rotational)
		best = rotating_part_blocks;
	auto const share = static_cast<std::uint32_t>(m_window_blocks / 2 / scans);
	auto const alone = static_cast<std::uint32_t>(alone_part_blocks / scans);
	return std::clamp(std::max(best, alone), 1U, std::max(share, 1U));
}

void piece_scan::step()
{
	if (!is_due())
		return;
	m_round.clear();
	auto const &first = *m_scans.front().job->target;
	auto const most = width(first);
	for (auto &next : m_scans) {
		if (m_round.size() == most)
			break;
		m_round.push_back(&next);
	}
	auto const blocks = part_blocks(first, m_round.size());
	m_window->low.store(blocks * static_cast<std::uint32_t>(m_round.size()));
	round(m_round, blocks, false);
	drop_ended();
}

void piece_scan::finish(storage_id id, std::optional<piece_index> piece)
{
	for (auto &one : m_scans) {
		if (one.job->target->id() != id || (piece && one.job->piece != *piece))
			continue;
		auto *const alone = &one;
		while (one.job)
			round({&alone, 1}, alone_part_blocks, true);
	}
	drop_ended();
}

void piece_scan::abort(char const *why)
{
	for (auto &one : m_scans)
		answer(m_stats, std::move(one.job), make_error(errc::aborted, why));
	m_scans.clear();
}

void piece_scan::drop_ended()
{
	std::erase_if(m_scans, [](scan const &one) { return !one.job; });
}

void piece_scan::round(std::span<scan *const> scans, std::uint32_t blocks_each, bool is_urgent)
{
	m_gathered = 0;
	m_stretches.clear();
	m_owners.clear();
	m_buffers.clear();
	for (auto *const one : scans) {
		auto const opened = m_handles.acquire(one->job->target);
		if (!opened) {
			answer(m_stats, std::move(one->job), opened.failure());
			continue;
		}
		// All of the piece before any of it is read: what is dropped part by part is read ahead in vain.
		if (one->job->bypass_cache && one->next == 0) {
			auto const forgotten = m_handles.forget_cached(**opened, payload_of(*one->job, 0, one->end));
			if (!forgotten) {
				answer(m_stats, std::move(one->job), forgotten.failure());
				continue;
			}
		}
		if (!gather(*one, blocks_each, is_urgent))
			break;
	}
	// Nothing can be had, and nothing of ours will come back: memory is held by others, for as long as they
	// like.
	auto &oldest = *scans.front();
	if (m_gathered == 0 && oldest.job && oldest.parts.empty() &&
		(is_urgent || m_window->blocks.load() == 0)) {
		oldest.stream.reset(); // what it has hashed counts for nothing
		m_hashing.hash_here(std::move(oldest.job));
		return;
	}
	// Then it goes on when hashers have given back all that they have of ours.
	if (m_gathered == 0)
		m_window->low.store(0);
	read();
	for (auto *const one : scans) {
		if (one->job && !one->parts.empty())
			hand_over(*one);
	}
}

/// Takes the next blocks of the piece from the cache, and memory for those that are to be read. False if
/// there is no more memory.
bool piece_scan::gather(scan &of, std::uint32_t blocks, bool is_urgent)
{
	auto const &job = *of.job;
	auto const end = std::min(of.end, of.next + blocks);
	of.parts.clear();
	of.parts.reserve(end - of.next);
	auto const in_flight = m_window->blocks.load();
	for (auto index = of.next; index < end;) {
		auto const add = [&](block_ref block) {
			of.parts.push_back({std::move(block), block_length(job, index), sha256_length(job, index)});
			++index;
		};
		if (auto block = job.bypass_cache ? block_ref{} : m_reader.cached(job, index)) {
			add(std::move(block));
			continue;
		}
		auto const run_end = index + m_reader.missing_run(job, index, end);
		piece_reader::stretch run{&job, index, 0, {}};
		while (index < run_end) {
			bool const may_evict = is_urgent || in_flight + m_gathered < cache_blocks_given;
			auto block = may_evict ? m_reader.take_block() : m_reader.take_free_block();
			if (!block)
				break;
			m_buffers.push_back({block.data(), block_length(job, index)});
			add(std::move(block));
			++run.count;
			++m_gathered;
		}
		if (run.count > 0) {
			m_stretches.push_back(std::move(run));
			m_owners.push_back(&of);
		}
		if (index < run_end)
			return false;
	}
	return true;
}

/// Fills what was gathered. Of a scan whose read failed the job is answered; one that was left out because of
/// that has gathered nothing.
void piece_scan::read()
{
	m_reader.fill_all(m_stretches, m_buffers);
	for (std::size_t i = 0; i < m_stretches.size(); ++i) {
		auto const &outcome = m_stretches[i].outcome;
		auto &of = *m_owners[i];
		if (outcome)
			continue;
		of.parts.clear();
		if (outcome.failure().code != errc::aborted && !of.job->failure)
			of.job->failure = outcome.failure();
	}
	for (auto *const of : m_owners) {
		if (of->job && of->job->failure)
			answer(m_stats, std::move(of->job));
	}
}

void piece_scan::hand_over(scan &of)
{
	if (!of.stream) {
		of.stream = m_hashers.open_stream(of.job->want_sha1, of.job->want_block_sha256);
		m_hashing.watch(*of.job, of.stream);
	}
	auto const count = static_cast<std::uint32_t>(of.parts.size());
	hash_task task;
	task.stream = of.stream;
	task.parts = std::move(of.parts);
	task.stats = &m_stats;
	task.ticket = std::make_shared<ticket>(m_window, count);
	of.parts.clear();
	of.next += count;
	if (of.next == of.end) {
		task.job = std::move(of.job);
		of.stream.reset();
	}
	m_hashers.submit(std::move(task));
}

} // namespace ezio
