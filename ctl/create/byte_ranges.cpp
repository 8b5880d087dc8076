#include "ctl/create/byte_ranges.hpp"

#include <algorithm>

namespace ezio
{
namespace
{

std::vector<byte_range> joined(std::vector<byte_range> const &ranges, std::uint64_t gap_bytes)
{
	std::vector<byte_range> out;
	for (auto const &range : ranges) {
		if (!out.empty() && range.offset_bytes <= out.back().end_bytes() + gap_bytes)
			out.back().length_bytes =
				std::max(out.back().end_bytes(), range.end_bytes()) - out.back().offset_bytes;
		else
			out.push_back(range);
	}
	return out;
}

} // namespace

std::vector<byte_range> consolidate(std::vector<byte_range> const &ranges, std::uint64_t align_bytes,
	std::uint64_t device_bytes, std::size_t ranges_max)
{
	std::vector<byte_range> aligned;
	aligned.reserve(ranges.size());
	for (auto const &range : ranges) {
		auto const begin = range.offset_bytes & ~(align_bytes - 1);
		auto const end = std::min((range.end_bytes() + align_bytes - 1) & ~(align_bytes - 1), device_bytes);
		if (end > begin)
			aligned.push_back({begin, end - begin});
	}
	auto out = joined(aligned, 0);
	for (auto gap = 2 * align_bytes; out.size() > std::max<std::size_t>(ranges_max, 1); gap *= 2)
		out = joined(out, gap);
	return out;
}

std::uint64_t total_bytes(std::vector<byte_range> const &ranges)
{
	std::uint64_t sum = 0;
	for (auto const &range : ranges)
		sum += range.length_bytes;
	return sum;
}

} // namespace ezio
