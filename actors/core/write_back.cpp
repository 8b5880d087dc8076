#include "actors/core/write_back.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ezio
{

void answer(partition_stats &stats, job_ptr job)
{
	stats.queue_depth.fetch_sub(1, std::memory_order_relaxed);
	auto *const sink = job->sink;
	sink->finished(std::move(job));
}

void answer(partition_stats &stats, job_ptr job, error failure)
{
	job->failure = std::move(failure);
	answer(stats, std::move(job));
}

void write_back::plan(cached_piece &piece, std::span<block_run const> runs)
{
	auto *const open = m_handles.find(piece.storage);
	assert(open != nullptr);
	auto const known = std::find(m_devices.begin(), m_devices.end(), open);
	auto const device = static_cast<std::size_t>(known - m_devices.begin());
	if (known == m_devices.end())
		m_devices.push_back(open);
	auto const &geometry = open->target->pieces();
	auto const piece_offset = geometry.piece_offset(piece.piece);
	auto const piece_size = geometry.piece_size(piece.piece);
	for (auto const &run : runs) {
		for (auto index = run.first; index < run.first + run.count; ++index) {
			auto const begin = index * block_bytes;
			auto const payload_offset = piece_offset + begin;
			auto const *const data = piece.slots[index].block.data();
			auto const number = static_cast<std::uint32_t>(m_records.size());
			m_records.push_back({&piece, index, std::nullopt});
			open->target->extents().for_each_segment(
				{payload_offset, std::min(block_bytes, piece_size - begin)},
				[&](extent_segment const &segment) {
					if (segment.is_pad)
						return;
					m_parts.push_back({device, segment.device_offset_bytes,
						data + (segment.payload_offset_bytes - payload_offset),
						static_cast<std::uint32_t>(segment.length_bytes), number});
				});
		}
	}
}

std::optional<error> write_back::execute()
{
	std::optional<error> first;
	sort_by_offset(m_parts);
	std::span<write_part const> rest = m_parts;
	while (!rest.empty()) {
		auto const is_other = [device = rest.front().device](
								  write_part const &part) { return part.device != device; };
		auto const count = std::find_if(rest.begin(), rest.end(), is_other) - rest.begin();
		write_device(rest.first(static_cast<std::size_t>(count)), first);
		rest = rest.subspan(static_cast<std::size_t>(count));
	}
	for (std::size_t i = 0; i < m_records.size(); ++i) {
		finish(m_records[i]);
		// The blocks of a piece were planned in one row.
		if (i + 1 == m_records.size() || m_records[i + 1].piece != m_records[i].piece)
			m_cache.settle(*m_records[i].piece);
	}
	m_devices.clear();
	m_records.clear();
	m_parts.clear();
	m_failures.clear();
	return first;
}

/// As many writes at once as the device can have under way.
void write_back::write_device(std::span<write_part const> parts, std::optional<error> &first)
{
	auto &open = *m_devices[parts.front().device];
	auto const depth = open.device->queue_depth();
	while (!parts.empty()) {
		m_groups.clear();
		while (!parts.empty() && m_groups.size() < depth) {
			m_groups.push_back(parts.first(m_is_coalescing ? contiguous_parts(parts) : 1));
			parts = parts.subspan(m_groups.back().size());
		}
		write_groups(open, m_groups, first);
	}
}

void write_back::write_groups(open_storage &open, part_groups groups, std::optional<error> &first)
{
	auto const aborted = [&](std::span<write_part const> parts) {
		auto e = make_error(errc::aborted, "not written, since the target failed before");
		e.device = open.device->path();
		e.offset_bytes = parts.front().offset_bytes;
		fail_group(parts, {std::move(e), false, true});
	};
	if (open.target->has_failed()) {
		std::for_each(groups.begin(), groups.end(), aborted);
		return;
	}
	m_buffers.clear();
	for (auto const &parts : groups)
		for (auto const &part : parts)
			m_buffers.push_back({part.data, part.length_bytes});
	m_writes.clear();
	std::span<write_buffer const> buffers(m_buffers);
	for (auto const &parts : groups) {
		m_writes.push_back({buffers.first(parts.size()), parts.front().offset_bytes, {}, {}});
		buffers = buffers.subspan(parts.size());
	}
	auto const first_of_storage = m_handles.write(open, m_writes);
	for (std::size_t i = 0; i < groups.size(); ++i) {
		auto const &outcome = m_writes[i].outcome;
		if (outcome)
			continue;
		if (outcome.failure().code == errc::aborted) {
			aborted(groups[i]);
			continue;
		}
		if (!first)
			first = outcome.failure();
		fail_group(groups[i], {outcome.failure(), first_of_storage == i, false});
	}
}

void write_back::fail_group(std::span<write_part const> parts, failed_write failed)
{
	auto const index = static_cast<std::uint32_t>(m_failures.size());
	bool const is_aborted = failed.is_aborted;
	m_failures.push_back(std::move(failed));
	for (auto const &part : parts) {
		// A block in several places fails with what the device said rather than with what was not tried.
		auto &failure = m_records[part.record].failure;
		if (!failure || (m_failures[*failure].is_aborted && !is_aborted))
			failure = index;
	}
}

void write_back::finish(record &r)
{
	if (!r.failure) {
		auto job = m_cache.mark_written(*r.piece, r.index);
		m_stats.blocks_written.fetch_add(1, std::memory_order_relaxed);
		job->block = {};
		answer(m_stats, std::move(job));
		return;
	}
	auto &failed = m_failures[*r.failure];
	auto job = m_cache.remove(*r.piece, r.index);
	job->block = {};
	job->is_first_failure = std::exchange(failed.is_first, false);
	answer(m_stats, std::move(job), failed.e);
}

} // namespace ezio
