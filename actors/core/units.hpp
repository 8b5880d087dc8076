#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace ezio
{

/// Index of a piece in its torrent, from 0.
enum class piece_index : std::int32_t {};

/// Identity of one torrent's storage within the daemon. Never reused while the daemon runs.
enum class storage_id : std::uint64_t {};

constexpr std::int32_t to_int(piece_index p)
{
	return static_cast<std::int32_t>(p);
}

constexpr std::uint64_t to_int(storage_id s)
{
	return static_cast<std::uint64_t>(s);
}

/// BitTorrent's unit of request (BEP 3) and the unit of our buffers, in bytes.
inline constexpr std::uint32_t block_bytes = 16 * 1024;

/// A half-open range of bytes; of a torrent's payload or of a device, as the name of the variable says.
struct byte_range {
	std::uint64_t offset_bytes = 0;
	std::uint64_t length_bytes = 0;

	constexpr std::uint64_t end_bytes() const { return offset_bytes + length_bytes; }
	friend constexpr bool operator==(byte_range const &, byte_range const &) = default;
};

using monotonic_clock = std::chrono::steady_clock;
using monotonic_time = monotonic_clock::time_point;

/// How a torrent's payload is cut into pieces and blocks. All pieces but the last have the same length;
/// blocks are 16 KiB but for the last of a piece.
struct piece_geometry {
	std::uint64_t total_bytes = 0;
	std::uint32_t piece_bytes = 0; ///< a power of two, 16 KiB to 256 MiB

	constexpr std::int32_t piece_count() const
	{
		return static_cast<std::int32_t>((total_bytes + piece_bytes - 1) / piece_bytes);
	}
	constexpr std::uint64_t piece_offset(piece_index p) const
	{
		return static_cast<std::uint64_t>(to_int(p)) * piece_bytes;
	}
	constexpr std::uint32_t piece_size(piece_index p) const
	{
		auto const left = total_bytes - piece_offset(p);
		return left < piece_bytes ? static_cast<std::uint32_t>(left) : piece_bytes;
	}
	constexpr std::uint32_t blocks_in_piece(piece_index p) const
	{
		return (piece_size(p) + block_bytes - 1) / block_bytes;
	}
};

} // namespace ezio
