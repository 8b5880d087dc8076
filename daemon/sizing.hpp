#pragma once

#include "actors/core/disk_budget.hpp"
#include "actors/core/lane_collector.hpp"
#include "actors/core/receive_shares.hpp"
#include "config/config.hpp"

#include <cstdint>

namespace ezio
{

/// What "auto" depends on.
struct machine {
	std::uint32_t cores = 1;
	std::uint64_t memory_bytes = 0;
	std::uint64_t available_bytes = 0; ///< of it, without swapping (proc_meminfo(5)); 0: unknown

	static machine here();
};

/// Numbers of the hasher pool that follow from the configuration and can change while the daemon runs.
struct hash_sizes {
	std::uint32_t hashers = 0;
	collect_limits collecting;
};

/// What connections may hold. libtorrent fills a connection's send buffer with blocks of ours, and reads as
/// much at once as the kernel has received, into heap of its own.
struct connection_sizes {
	std::uint64_t send_bytes = 0;         ///< send_buffer_watermark
	std::uint64_t send_low_bytes = 0;     ///< send_buffer_low_watermark
	std::uint64_t receive_pool_bytes = 0; ///< for receive_shares

	friend bool operator==(connection_sizes const &, connection_sizes const &) = default;
};

/// Shares of cache-size: half of the connections may stop taking what is sent, and half may hand over all
/// they hold after they were told to wait, before another one goes short of blocks. What is sent is divided
/// by max-connections, what is received by the connections that there are. A share is never less than a
/// connection needs to go on: of 200 connections 96 may stop taking from 64 MiB, rather than 100, and 75 may
/// hand over what they hold.
connection_sizes connection_sizes_of(configuration const &config);

/// hashing-threads, auto: all cores but one, which the network thread keeps busy; and collect-delay, within
/// an eighth of the cache and no more than lanes full of 1 MiB pieces.
hash_sizes hash_sizes_of(configuration const &config, machine const &on);
/// What all devices share. dirty-limit auto: a quarter of the cache, at most 256 MiB.
disk_budget disk_budget_of(configuration const &config, machine const &on);
/// Blocks to touch ahead: all of the cache, but no more than 4 GiB, nor than half of what is available, so
/// that a cache-size beyond the machine's memory costs no program its life before it is used.
std::uint32_t prefault_blocks(configuration const &config, machine const &on);
/// Blocks to reserve address space for: the configured cache, or all of the memory if that is more, so that
/// cache-size can grow without a restart.
std::uint32_t arena_blocks_max(configuration const &config, machine const &on);

} // namespace ezio
