#pragma once

#include "actors/core/units.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ezio
{

/// Why dirty blocks are written now.
enum class flush_reason : std::uint8_t {
	none,     ///< nothing is ripe
	long_run, ///< runs reached the coalescing size
	complete, ///< no block of the piece is missing: waiting gains nothing
	delay,    ///< the oldest block has waited long enough
	pressure, ///< memory is wanted, or someone waits for the device to have it
};

/// Consecutive blocks of one piece.
struct block_run {
	std::uint32_t first = 0;
	std::uint32_t count = 0;
	friend bool operator==(block_run const &, block_run const &) = default;
};

/// The dirty state of one piece.
struct dirty_view {
	std::span<std::uint64_t const> bits; ///< bit i: block i is dirty
	std::uint32_t blocks = 0;            ///< of the piece
	bool is_complete = false;            ///< every block is cached or was handed over
	monotonic_time oldest{};             ///< when its oldest dirty block came
};

struct flush_rules {
	std::uint32_t coalesce_blocks = 1; ///< at least 1
	std::chrono::milliseconds delay{0};
	monotonic_time now{};
	bool is_pressed = false;
};

/// Appends the runs to write now, ascending, and says why. Strongest reason first: pressure, complete, delay
/// take every dirty block; long_run takes the long runs only.
flush_reason choose_runs(dirty_view const &piece, flush_rules const &rules, std::vector<block_run> &runs);

/// One part of a block at its place on a device.
struct write_part {
	std::size_t device = 0; ///< which device, in the caller's numbering
	std::uint64_t offset_bytes = 0;
	std::byte const *data = nullptr;
	std::uint32_t length_bytes = 0;
	std::uint32_t record = 0; ///< the caller's
};

/// Most buffers of one write: IOV_MAX of Linux.
inline constexpr std::size_t write_parts_max = 1024;

/// By device, then by offset: one sweep over each.
void sort_by_offset(std::vector<write_part> &parts);
/// How many parts from the front of sorted @p parts are contiguous on one device: what one write can carry.
/// At least 1, at most write_parts_max.
std::size_t contiguous_parts(std::span<write_part const> parts);

} // namespace ezio
