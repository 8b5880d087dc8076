#pragma once

#include "actors/core/disk_kind.hpp"
#include "actors/core/lane_collector.hpp"
#include "actors/core/partition_engine.hpp"
#include "config/config.hpp"

#include <cstdint>

namespace ezio
{

/// What "auto" depends on.
struct machine {
	std::uint32_t cores = 1;
	std::uint64_t memory_bytes = 0;
	disk_kind disks = disk_kind::unknown;

	static machine here();
};

/// Numbers that follow from the configuration and can change while the daemon runs.
struct disk_sizes {
	std::uint32_t capacity_blocks = 0; ///< cache-size
	std::uint64_t dirty_high_bytes = 0;
	std::uint64_t dirty_low_bytes = 0;
	engine_limits limits; ///< of one partition

	friend bool operator==(disk_sizes const &a, disk_sizes const &b)
	{
		return a.capacity_blocks == b.capacity_blocks && a.dirty_high_bytes == b.dirty_high_bytes &&
			a.dirty_low_bytes == b.dirty_low_bytes && a.limits.coalesce_bytes == b.limits.coalesce_bytes &&
			a.limits.coalesce_delay == b.limits.coalesce_delay &&
			a.limits.prefetch_bytes == b.limits.prefetch_bytes &&
			a.limits.cache_blocks_max == b.limits.cache_blocks_max;
	}
};

/// The same of the hasher pool.
struct hash_sizes {
	std::uint32_t hashers = 0;
	collect_limits collecting;
};

/// What one connection may hold. libtorrent fills a connection's send buffer with blocks of ours, and reads
/// as much at once as the kernel has received, into heap of its own.
struct connection_sizes {
	std::uint64_t send_bytes = 0;     ///< send_buffer_watermark
	std::uint64_t send_low_bytes = 0; ///< send_buffer_low_watermark
	std::uint64_t receive_bytes = 0;  ///< recv_socket_buffer_size

	friend bool operator==(connection_sizes const &, connection_sizes const &) = default;
};

/// Shares of cache-size and of a fixed 32 MiB of heap, by max-connections. Half of the connections may stop
/// taking what is sent, and half may hand over all they hold after they were told to wait, before another one
/// goes short of blocks. A share is never less than a connection needs to go on: 64 MiB do for 85 of 200
/// connections rather than for half of them, and above 1000 connections the heap exceeds its 32 MiB.
connection_sizes connection_sizes_of(configuration const &config);

/// aio-threads; auto goes by the fastest disk of the machine, since all devices share the partitions. A
/// partition keeps one transfer going, and its CPU does not depend on how many there are. Rotational: 2, so
/// that one device does not stop another, and no more than two streams make the heads move. Solid: 4, what
/// fills one link with large transfers. NVMe: one a core, 4 to 8. Never so many that a partition's part of
/// cache-size falls below 16 MiB: it holds the pieces on their way.
std::uint32_t partitions_of(configuration const &config, machine const &on);
/// hashing-threads, auto: all cores but one, which the network thread keeps busy; and collect-delay, within
/// an eighth of the cache and no more than lanes full of 1 MiB pieces.
hash_sizes hash_sizes_of(configuration const &config, machine const &on);
/// dirty-limit auto: a quarter of the cache, at most 256 MiB, which a slow disk still drains in seconds.
disk_sizes disk_sizes_of(configuration const &config, std::uint32_t partitions);
/// Blocks to reserve address space for: the configured cache, or all of the memory if that is more, so that
/// cache-size can grow without a restart.
std::uint32_t arena_blocks_max(configuration const &config, machine const &on);

} // namespace ezio
