#pragma once

#include "actors/core/disk_kind.hpp"
#include "actors/core/partition_engine.hpp"

#include <cstdint>
#include <optional>

namespace ezio
{

/// Partitions of all devices together, each of which is a thread. A device that comes when there are as many
/// gets no route of its own: it shares that of another device, and is delayed by it.
inline constexpr std::uint32_t partitions_max = 128;

/// What the configuration says of partitions and memory, for all devices together.
struct disk_budget {
	std::uint32_t capacity_blocks = 0;       ///< cache-size
	std::uint64_t dirty_bytes = 0;           ///< dirty-limit
	std::optional<std::uint32_t> partitions; ///< aio-threads, of each device; empty: by its kind
	std::uint32_t cores = 1;
	engine_limits limits; ///< of each partition, but for cache_blocks_max

	friend bool operator==(disk_budget const &, disk_budget const &) = default;
};

/// How many partitions a device gets that comes as number @p devices. What the operator chose; else by kind,
/// since a partition keeps at least one transfer going. Rotational: 2, the next transfer waits at the device
/// while the head moves for one. Solid and unknown: one for two cores, 1 to 4. Each hand-over wakes another
/// thread, and what piles up while one is in a call of the device becomes the next batch, many transfers at a
/// time. NVMe: one a core, 2 to 8. Never so many that a partition's part of the
/// device's share of cache-size falls below 16 MiB: it holds the pieces on their way. At least 1.
std::uint32_t partitions_for(disk_budget const &budget, disk_kind kind, std::uint32_t devices);

/// What one partition and one device have of the budget.
struct budget_share {
	engine_limits limits;
	std::uint64_t dirty_bytes = 0; ///< ceiling of one device
};
/// @p is_receiving: some torrent receives, or may at any moment. Otherwise the caches also get the room of
/// what peers may send, but for a sixteenth of the budget, in which reads find room before others are
/// evicted.
budget_share share_of(
	disk_budget const &budget, std::uint32_t devices, std::uint32_t partitions, bool is_receiving = true);

} // namespace ezio
