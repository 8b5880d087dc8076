#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace ezio
{

inline constexpr std::uint32_t created_piece_bytes_min = 64 * 1024;
inline constexpr std::uint32_t created_piece_bytes_max = 16 * 1024 * 1024;

/// May a new torrent have pieces of this size? A power of two from 64 KiB to 16 MiB.
constexpr bool is_piece_size(std::uint32_t bytes)
{
	return bytes >= created_piece_bytes_min && bytes <= created_piece_bytes_max && std::has_single_bit(bytes);
}

/// The largest piece that still leaves a swarm about 1,000 pieces to trade.
constexpr std::uint32_t choose_piece_bytes(std::uint64_t covered_bytes)
{
	constexpr std::uint64_t pieces_wanted = 1000;
	auto const fitting = std::bit_floor(std::max<std::uint64_t>(covered_bytes / pieces_wanted, 1));
	return static_cast<std::uint32_t>(
		std::clamp<std::uint64_t>(fitting, created_piece_bytes_min, created_piece_bytes_max));
}

} // namespace ezio
