#pragma once

#include "actors/core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ezio
{

/// Ascending, disjoint ranges of a device, made fit for a torrent: widened to multiples of @p align_bytes (a
/// power of two), cut off at @p device_bytes, joined where they touch. As long as there are more than
/// @p ranges_max of them, the smallest gaps between them are taken in as well: a torrent has to stay small
/// even if the filesystem is in splinters.
std::vector<byte_range> consolidate(std::vector<byte_range> const &ranges, std::uint64_t align_bytes,
	std::uint64_t device_bytes, std::size_t ranges_max);

std::uint64_t total_bytes(std::vector<byte_range> const &ranges);

} // namespace ezio
