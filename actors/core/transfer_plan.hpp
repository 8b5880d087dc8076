#pragma once

#include "actors/core/units.hpp"

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

namespace ezio
{

/// What direct I/O demands on one device. All are powers of two.
struct direct_alignment {
	std::uint32_t memory_bytes = 0; ///< address of every buffer
	std::uint32_t sector_bytes = 0; ///< device offset and length of every buffer
	std::uint32_t page_bytes = 0;   ///< page of the page cache; a multiple of the other two
};

/// A stretch of a transfer that one handle can carry.
struct transfer_part {
	byte_range device;
	bool is_direct = false;
	friend bool operator==(transfer_part const &, transfer_part const &) = default;
};

/// Cuts a transfer of @p buffers at @p offset_bytes into parts for the direct and the buffered handle, in
/// device order, without gap or overlap. Only whole pages of the device go direct, and only those that end
/// at or before @p direct_end_bytes and consist of buffers that are aligned as @p alignment says.
///
/// Whole pages, although the device would take single sectors: the page cache writes its pages back as they
/// were when they were read. A sector written directly beside a cached, dirty part of the same page could be
/// overwritten by its older image. With this rule a page that two transfers share is buffered in both.
std::vector<transfer_part> plan_transfer(std::span<iovec const> buffers, std::uint64_t offset_bytes,
	direct_alignment const &alignment, std::uint64_t direct_end_bytes);

/// The part of @p buffers (which lie at @p offset_bytes) that covers @p device, as buffers; those that follow
/// each other in memory as one, since the kernel's work for each transfer grows with their number. Replaces
/// the content of @p clipped.
void clip_buffers(std::span<iovec const> buffers, std::uint64_t offset_bytes, byte_range const &device,
	std::vector<iovec> &clipped);

} // namespace ezio
