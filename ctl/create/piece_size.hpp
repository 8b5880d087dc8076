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

/// 1 MiB: so many pieces come at a time that a fast target can hash them side by side. Less where a swarm
/// would have fewer than about 1,000 to trade; more, up to 16 MiB, where there would be more than 65,536 to
/// tell of.
constexpr std::uint32_t choose_piece_bytes(std::uint64_t covered_bytes)
{
	constexpr std::uint64_t pieces_wanted = 1000;
	constexpr std::uint64_t pieces_most = 65'536;
	constexpr std::uint64_t best_bytes = 1024 * 1024;
	auto const of_few = std::bit_floor(std::max<std::uint64_t>(covered_bytes / pieces_wanted, 1));
	auto const of_many = std::bit_ceil((covered_bytes + pieces_most - 1) / pieces_most);
	return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
		std::max(std::min(of_few, best_bytes), of_many), created_piece_bytes_min, created_piece_bytes_max));
}

} // namespace ezio
