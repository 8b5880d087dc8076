#include "actors/core/range_list.hpp"

#include <algorithm>

namespace ezio
{

std::string to_string(listed_ranges const &list, std::size_t named)
{
	std::string text;
	auto const count = std::min(named, list.ranges.size());
	for (std::size_t i = 0; i < count; ++i)
		text += (i == 0 ? "offset " : ", offset ") + std::to_string(list.ranges[i].offset_bytes) +
			" length " + std::to_string(list.ranges[i].length_bytes);
	auto const more = list.more + (list.ranges.size() - count);
	if (more > 0)
		text += " and " + std::to_string(more) + " more";
	return text;
}

void range_list::add(byte_range range)
{
	if (range.length_bytes == 0)
		return;
	// All that it overlaps or touches become one with it.
	auto const first = std::lower_bound(m_ranges.begin(), m_ranges.end(), range.offset_bytes,
		[](byte_range const &known, std::uint64_t offset) { return known.end_bytes() < offset; });
	auto last = first;
	auto begin = range.offset_bytes;
	auto end = range.end_bytes();
	for (; last != m_ranges.end() && last->offset_bytes <= end; ++last) {
		begin = std::min(begin, last->offset_bytes);
		end = std::max(end, last->end_bytes());
	}
	if (first != last) {
		*first = {begin, end - begin};
		m_ranges.erase(first + 1, last);
		return;
	}
	if (m_ranges.size() < ranges_max) {
		m_ranges.insert(first, range);
		return;
	}
	if (m_uncollected == 0 || range.offset_bytes > m_uncollected_end || end < m_uncollected_end)
		++m_uncollected;
	m_uncollected_end = end;
}

listed_ranges range_list::listed() const
{
	listed_ranges list;
	auto const count = std::min(m_ranges.size(), listed_max);
	list.ranges.assign(m_ranges.begin(), m_ranges.begin() + static_cast<std::ptrdiff_t>(count));
	list.more = m_ranges.size() - count + m_uncollected;
	for (auto const &range : list.ranges)
		list.bytes += range.length_bytes;
	return list;
}

} // namespace ezio
