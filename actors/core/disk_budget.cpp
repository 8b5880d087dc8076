#include "actors/core/disk_budget.hpp"

#include "actors/core/block_arena.hpp"

#include <algorithm>

namespace ezio
{
namespace
{

constexpr std::uint32_t auto_share_blocks_min = 16 * 1024 * 1024 / block_bytes;

std::uint32_t partitions_by_kind(disk_kind kind, std::uint32_t cores)
{
	switch (kind) {
	case disk_kind::rotational:
		return 2;
	case disk_kind::nvme:
		return std::clamp(cores, 2u, 8u);
	case disk_kind::solid:
	case disk_kind::unknown:
		break;
	}
	return std::clamp((cores + 1) / 2, 1u, 4u);
}

} // namespace

std::uint32_t partitions_for(disk_budget const &budget, disk_kind kind, std::uint32_t devices)
{
	if (budget.partitions)
		return std::max(*budget.partitions, 1u);
	auto const by_memory = budget.capacity_blocks / std::max(devices, 1u) / auto_share_blocks_min;
	return std::min(partitions_by_kind(kind, budget.cores), std::max(by_memory, 1u));
}

budget_share share_of(
	disk_budget const &budget, std::uint32_t devices, std::uint32_t partitions, bool is_receiving)
{
	budget_share share;
	share.limits = budget.limits;
	auto const capacity = budget.capacity_blocks;
	// What receiving alone may take is nobody's cache.
	auto const cached = capacity -
		(is_receiving ? block_arena::reserve_of(capacity) : block_arena::idle_reserve_of(capacity));
	// Nor is what peers may send while the partitions are busy: full caches would leave no room to the marks
	// at which peers are told to wait. Where nobody sends, reads under way have room beside the caches.
	auto const under_way =
		is_receiving ? std::min<std::uint64_t>(budget.dirty_bytes / block_bytes, cached / 2) : capacity / 16;
	share.limits.cache_blocks_max =
		(cached - static_cast<std::uint32_t>(under_way)) / std::max(partitions, 1u);
	share.dirty_bytes = budget.dirty_bytes / std::max(devices, 1u);
	return share;
}

} // namespace ezio
