#pragma once

#include "actors/core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

/// Stretches of a device for a report: ascending, disjoint, so many at most; the rest is only counted.
struct listed_ranges {
	std::vector<byte_range> ranges;
	std::uint64_t more = 0;  ///< stretches that are not listed
	std::uint64_t bytes = 0; ///< of those that are listed

	friend bool operator==(listed_ranges const &, listed_ranges const &) = default;
};

/// "offset 1048576 length 262144, offset 8388608 length 65536 and 3 more"; empty if there are none. Names at
/// most @p named of those that are listed.
std::string to_string(listed_ranges const &list, std::size_t named);

/// Collects stretches of a device, merges those that overlap or touch, and keeps a bounded number of them.
/// What comes beyond the bound is counted only; where it comes in ascending order each stretch counts once.
class range_list
{
public:
	static constexpr std::size_t ranges_max = 1024;
	static constexpr std::size_t listed_max = 64;

	/// An empty range is ignored.
	void add(byte_range range);
	void clear() { *this = {}; }
	bool empty() const { return m_ranges.empty(); }
	listed_ranges listed() const;

private:
	std::vector<byte_range> m_ranges; ///< ascending, disjoint, not touching
	std::uint64_t m_uncollected = 0;
	std::uint64_t m_uncollected_end = 0; ///< of the last one
};

} // namespace ezio
