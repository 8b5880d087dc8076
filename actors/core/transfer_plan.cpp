#include "actors/core/transfer_plan.hpp"

#include <algorithm>
#include <cstdint>

namespace ezio
{
namespace
{

std::uint64_t round_down(std::uint64_t value, std::uint64_t unit)
{
	return value & ~(unit - 1);
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit)
{
	return round_down(value + unit - 1, unit);
}

void append(std::vector<transfer_part> &parts, std::uint64_t begin, std::uint64_t end, bool is_direct)
{
	if (begin >= end)
		return;
	if (!parts.empty() && parts.back().is_direct == is_direct)
		parts.back().device.length_bytes += end - begin;
	else
		parts.push_back({{begin, end - begin}, is_direct});
}

/// To the last buffer, if it follows that in memory.
void append(std::vector<iovec> &buffers, char *data, std::size_t length_bytes)
{
	if (!buffers.empty() && static_cast<char *>(buffers.back().iov_base) + buffers.back().iov_len == data)
		buffers.back().iov_len += length_bytes;
	else
		buffers.push_back({data, length_bytes});
}

bool is_aligned(iovec const &buffer, std::uint64_t begin, direct_alignment const &alignment)
{
	// The device offset must be a multiple of the memory alignment too: then the buffer stays aligned
	// wherever a page boundary cuts it.
	auto const address = reinterpret_cast<std::uintptr_t>(buffer.iov_base);
	return address % alignment.memory_bytes == 0 &&
		begin % std::max(alignment.memory_bytes, alignment.sector_bytes) == 0 &&
		buffer.iov_len % alignment.sector_bytes == 0;
}

} // namespace

std::vector<transfer_part> plan_transfer(std::span<iovec const> buffers, std::uint64_t offset_bytes,
	direct_alignment const &alignment, std::uint64_t direct_end_bytes)
{
	auto const page = alignment.page_bytes;
	auto total_end = offset_bytes;
	for (auto const &buffer : buffers)
		total_end += buffer.iov_len;
	auto const pages_begin = round_up(offset_bytes, page);
	auto const pages_end = round_down(std::min(total_end, direct_end_bytes), page);

	std::vector<transfer_part> parts;
	if (pages_begin >= pages_end) {
		append(parts, offset_bytes, total_end, false);
		return parts;
	}
	// From here to `done` the transfer is planned. Pages that an unaligned buffer touches are buffered whole.
	auto done = pages_begin;
	append(parts, offset_bytes, done, false);
	auto begin = offset_bytes;
	for (auto const &buffer : buffers) {
		auto const end = begin + buffer.iov_len;
		if (buffer.iov_len > 0 && !is_aligned(buffer, begin, alignment)) {
			auto const bad_begin = std::clamp(round_down(begin, page), done, pages_end);
			auto const bad_end = std::clamp(round_up(end, page), done, pages_end);
			append(parts, done, bad_begin, true);
			append(parts, bad_begin, bad_end, false);
			done = bad_end;
		}
		begin = end;
	}
	append(parts, done, pages_end, true);
	append(parts, pages_end, total_end, false);
	return parts;
}

void clip_buffers(std::span<iovec const> buffers, std::uint64_t offset_bytes, byte_range const &device,
	std::vector<iovec> &clipped)
{
	clipped.clear();
	auto begin = offset_bytes;
	for (auto const &buffer : buffers) {
		auto const end = begin + buffer.iov_len;
		auto const from = std::max(begin, device.offset_bytes);
		auto const to = std::min(end, device.end_bytes());
		if (from < to)
			append(clipped, static_cast<char *>(buffer.iov_base) + (from - begin), to - from);
		begin = end;
	}
}

} // namespace ezio
