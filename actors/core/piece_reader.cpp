#include "actors/core/piece_reader.hpp"

#include "actors/core/job_blocks.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <functional>
#include <utility>

namespace ezio
{
namespace
{

/// Of a cache that cannot make room alone.
constexpr std::uint32_t given_blocks = 8;

template <class Take>
std::span<block_ref const> take_up_to(std::vector<block_ref> &to, std::size_t count, Take take)
{
	auto const before = to.size();
	while (to.size() - before < count) {
		auto block = take();
		if (!block)
			break;
		to.push_back(std::move(block));
	}
	auto const taken = std::span(to).subspan(before);
	std::ranges::sort(taken, std::less<>(), &block_ref::data);
	return taken;
}

} // namespace

block_ref piece_reader::cached(disk_job const &job, std::uint32_t index)
{
	auto *const piece = m_cache.find(job.target->id(), job.piece);
	if (piece == nullptr || !piece->slots[index].block)
		return {};
	m_cache.touch(*piece);
	return piece->slots[index].block;
}

std::uint32_t piece_reader::missing_run(disk_job const &job, std::uint32_t first, std::uint32_t end)
{
	auto *const piece = job.bypass_cache ? nullptr : m_cache.find(job.target->id(), job.piece);
	auto index = first + 1;
	while (index < end && (piece == nullptr || !piece->slots[index].block))
		++index;
	return index - first;
}

block_ref piece_reader::take_block()
{
	auto block = take_free_block();
	while (!block) {
		auto const lacking = std::max(m_arena.lacking_for_reading(), 1U);
		if (m_cache.clean_blocks() < lacking) {
			// Not ours alone. What received data has taken of the reserve all caches make up for together,
			// each a little at every attempt; beyond it somebody holds what no cache can make up for, and
			// ours would be given up in vain.
			if (lacking <= m_arena.reserve_blocks())
				m_cache.evict_unshared(given_blocks);
			break;
		}
		if (m_cache.evict_unshared(lacking) == 0)
			break;
		block = take_free_block();
	}
	return block;
}

std::span<block_ref const> piece_reader::take_blocks(std::vector<block_ref> &to, std::size_t count)
{
	return take_up_to(to, count, [this] { return take_block(); });
}

std::span<block_ref const> piece_reader::take_free_blocks(std::vector<block_ref> &to, std::size_t count)
{
	return take_up_to(to, count, [this] { return take_free_block(); });
}

result<void> piece_reader::fill(disk_job const &job, std::uint32_t first, std::span<block_ref const> blocks)
{
	m_buffers.clear();
	for (std::uint32_t i = 0; i < blocks.size(); ++i)
		m_buffers.push_back({blocks[i].data(), block_length(job, first + i)});
	auto *const open = m_handles.find(job.target->id());
	assert(open != nullptr);
	return m_handles.read_payload(
		*open, payload_of(job, first, static_cast<std::uint32_t>(blocks.size())), m_buffers);
}

void piece_reader::fill_all(std::span<stretch> stretches, std::span<read_buffer const> buffers)
{
	while (!stretches.empty()) {
		auto const id = stretches.front().job->target->id();
		auto const other = std::find_if(stretches.begin(), stretches.end(),
			[id](stretch const &one) { return one.job->target->id() != id; });
		auto const own = stretches.first(static_cast<std::size_t>(other - stretches.begin()));
		stretches = stretches.subspan(own.size());
		m_reads.clear();
		for (auto const &one : own) {
			m_reads.push_back({payload_of(*one.job, one.first, one.count), buffers.first(one.count), {}});
			buffers = buffers.subspan(one.count);
		}
		auto *const open = m_handles.find(id);
		assert(open != nullptr);
		m_handles.read_payloads(*open, m_reads);
		for (std::size_t i = 0; i < own.size(); ++i)
			own[i].outcome = std::move(m_reads[i].outcome);
	}
}

} // namespace ezio
