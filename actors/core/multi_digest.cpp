#include "actors/core/multi_digest.hpp"

#include "actors/core/partition_stats.hpp"

#include <algorithm>
#include <utility>

namespace ezio
{
namespace
{

constexpr auto relaxed = std::memory_order_relaxed;

using byte_span = std::span<std::byte const>;

std::uint64_t bytes_of(hash_task const &task)
{
	std::uint64_t bytes = 0;
	for (auto const &part : task.parts)
		bytes += part.length_bytes;
	return bytes;
}

} // namespace

multi_digest::multi_digest(hash_plan const &plan, hasher_stats *stats, collect_limits limits)
	: m_plan(plan), m_stats(stats), m_collector(plan, limits)
{
}

multi_digest::~multi_digest()
{
	run();
}

void multi_digest::add(hash_task task, monotonic_time now)
{
	auto *const stream = task.stream.get();
	auto const bytes = bytes_of(task);
	auto at = std::find_if(m_streams.begin(), m_streams.end(),
		[stream](waiting_stream const &waiting) { return waiting.stream == stream; });
	if (at == m_streams.end()) {
		m_streams.emplace_back().stream = stream;
		at = std::prev(m_streams.end());
		at->since = now;
		if (!stream->m_is_begun)
			m_collector.arrived(now);
	}
	if (at - m_streams.begin() >= static_cast<std::ptrdiff_t>(m_round))
		m_waiting_bytes += bytes;
	at->tasks.push_back(std::move(task));
}

std::optional<monotonic_time> multi_digest::next_step(monotonic_time now) const
{
	if (is_idle())
		return std::nullopt;
	if (m_round > 0)
		return now;
	// The next part of a large piece does not wait again; nor do block digests, which fill lanes from one
	// piece.
	bool const is_urgent = std::any_of(m_streams.begin(), m_streams.end(), [](waiting_stream const &waiting) {
		return waiting.stream->m_is_begun || !waiting.stream->m_want_sha1;
	});
	return is_urgent ? now
					 : m_collector.begin(m_streams.size(), m_waiting_bytes, m_streams.front().since, now);
}

void multi_digest::take_up()
{
	if (m_streams.size() - m_round < m_round)
		return;
	m_round = m_streams.size();
	m_waiting_bytes = 0;
}

void multi_digest::step()
{
	if (is_idle())
		return;
	take_up();
	auto const pieces = std::min(m_round, m_plan.choose(sha_kind::sha1, m_round).lanes);
	auto const blocks_each = sha_lanes_max / pieces;

	std::array<byte_span, sha_lanes_max> bytes;
	std::array<byte_span, sha_lanes_max> covered;
	std::array<hash_stream *, sha_lanes_max> owners{};
	std::vector<sha_part> sha1_parts;
	sha1_parts.reserve(pieces);
	std::size_t blocks = 0;
	std::size_t digests = 0;
	for (std::size_t i = 0; i < pieces; ++i) {
		auto &waiting = m_streams[i];
		auto &stream = *waiting.stream;
		stream.m_is_begun = true;
		auto const first = blocks;
		auto next_part = waiting.next_part;
		bool is_last = false;
		for (auto number = waiting.next_task; number < waiting.tasks.size(); ++number) {
			auto const &task = waiting.tasks[number];
			for (; next_part < task.parts.size() && blocks - first < blocks_each; ++next_part) {
				auto const &part = task.parts[next_part];
				if (stream.m_want_blocks && part.sha256_bytes > 0) {
					owners[digests] = &stream;
					covered[digests++] = {part.block.data(), part.sha256_bytes};
				}
				bytes[blocks++] = {part.block.data(), part.length_bytes};
			}
			if (next_part < task.parts.size())
				break;
			is_last = task.job != nullptr;
			next_part = 0;
		}
		if (stream.m_want_sha1)
			sha1_parts.push_back({&stream.m_sha1, std::span(bytes).subspan(first, blocks - first), is_last});
	}
	hash_parts(m_plan, sha1_parts);

	std::vector<sha_stream> sha256(digests, sha_stream(sha_kind::sha256));
	std::vector<sha_part> sha256_parts;
	sha256_parts.reserve(digests);
	for (std::size_t i = 0; i < digests; ++i)
		sha256_parts.push_back({&sha256[i], {&covered[i], 1}, true});
	hash_parts(m_plan, sha256_parts);
	for (std::size_t i = 0; i < digests; ++i)
		owners[i]->m_blocks.push_back(sha256[i].digest<32>());

	if (m_stats != nullptr)
		m_stats->steps_by_pieces[pieces - 1].fetch_add(1, relaxed);
	for (std::size_t i = 0; i < pieces; ++i) {
		auto &waiting = m_streams[i];
		auto left = blocks_each;
		while (!waiting.is_done()) {
			auto &parts = waiting.tasks[waiting.next_task].parts;
			for (; left > 0 && waiting.next_part < parts.size(); --left)
				parts[waiting.next_part++].block = {};
			if (waiting.next_part < parts.size())
				break;
			end_task(waiting);
		}
	}
	m_round -= std::erase_if(m_streams, [](waiting_stream const &waiting) { return waiting.is_done(); });
}

/// The next task is through.
void multi_digest::end_task(waiting_stream &waiting)
{
	auto task = std::move(waiting.tasks[waiting.next_task++]);
	waiting.next_part = 0;
	auto const hashed_bytes = bytes_of(task);
	if (task.stats != nullptr)
		task.stats->hashed_bytes.fetch_add(hashed_bytes, relaxed);
	if (m_stats != nullptr) {
		m_stats->hashed_bytes.fetch_add(hashed_bytes, relaxed);
		m_stats->tasks.fetch_add(1, relaxed);
	}
	if (!task.job)
		return;
	auto &stream = *task.stream;
	if (stream.m_want_sha1)
		task.job->sha1 = stream.m_sha1.digest<20>();
	task.job->block_sha256 = std::move(stream.m_blocks);
	if (m_stats != nullptr)
		m_stats->pieces.fetch_add(1, relaxed);
	if (task.stats != nullptr) {
		task.stats->hash_latency.record(monotonic_clock::now() - task.job->submitted);
		task.stats->queue_depth.fetch_sub(1, relaxed);
	}
	// Whoever learns of the digest must find the piece no longer in use.
	task.stream.reset();
	task.job->sink->finished(std::move(task.job));
}

} // namespace ezio
