#pragma once

#include "actors/core/units.hpp"

namespace ezio
{

/// The partition that owns all blocks of a piece. Neighbouring pieces go to different partitions, and so do
/// the first pieces of different torrents.
constexpr std::uint32_t partition_of(storage_id storage, piece_index piece, std::uint32_t partitions)
{
	return static_cast<std::uint32_t>(
		(to_int(storage) + static_cast<std::uint64_t>(to_int(piece))) % partitions);
}

} // namespace ezio
