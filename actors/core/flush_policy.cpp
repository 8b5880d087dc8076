#include "actors/core/flush_policy.hpp"

#include <algorithm>
#include <bit>

namespace ezio
{
namespace
{

/// First block from @p index on that is dirty (or is not), or @p blocks.
std::uint32_t next_block(
	std::span<std::uint64_t const> bits, std::uint32_t index, std::uint32_t blocks, bool is_dirty)
{
	while (index < blocks) {
		auto const word = is_dirty ? bits[index / 64] : ~bits[index / 64];
		auto const rest = word >> (index % 64);
		if (rest != 0)
			return std::min(blocks, index + static_cast<std::uint32_t>(std::countr_zero(rest)));
		index = (index / 64 + 1) * 64;
	}
	return blocks;
}

flush_reason reason_for_all(dirty_view const &piece, flush_rules const &rules)
{
	if (rules.is_pressed)
		return flush_reason::pressure;
	if (piece.is_complete)
		return flush_reason::complete;
	if (rules.now - piece.oldest >= rules.delay)
		return flush_reason::delay;
	return flush_reason::none;
}

} // namespace

flush_reason choose_runs(dirty_view const &piece, flush_rules const &rules, std::vector<block_run> &runs)
{
	auto const reason = reason_for_all(piece, rules);
	auto const length_min = reason == flush_reason::none ? rules.coalesce_blocks : 1;
	bool is_any = false;
	for (auto first = next_block(piece.bits, 0, piece.blocks, true); first < piece.blocks;) {
		auto const end = next_block(piece.bits, first, piece.blocks, false);
		if (end - first >= length_min) {
			runs.push_back({first, end - first});
			is_any = true;
		}
		first = next_block(piece.bits, end, piece.blocks, true);
	}
	if (!is_any)
		return flush_reason::none;
	return reason == flush_reason::none ? flush_reason::long_run : reason;
}

void sort_by_offset(std::vector<write_part> &parts)
{
	std::sort(parts.begin(), parts.end(), [](write_part const &a, write_part const &b) {
		return a.device != b.device ? a.device < b.device : a.offset_bytes < b.offset_bytes;
	});
}

std::size_t contiguous_parts(std::span<write_part const> parts)
{
	std::size_t count = 1;
	while (count < parts.size() && count < write_parts_max) {
		auto const &last = parts[count - 1];
		auto const &next = parts[count];
		if (next.device != last.device || next.offset_bytes != last.offset_bytes + last.length_bytes)
			break;
		++count;
	}
	return count;
}

} // namespace ezio
