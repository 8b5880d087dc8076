#pragma once

#include "actors/core/tick_schedule.hpp"
#include "actors/messages.hpp"

#include <memory>
#include <optional>

namespace ezio
{

/// What a partition is made of. Shared parts outlive the actor.
struct disk_partition_config {
	std::uint32_t index = 0;
	block_arena *arena = nullptr;
	hash_dispatcher *hashers = nullptr;
	std::shared_ptr<partition_stats> stats;
	engine_limits limits;
};

struct disk_partition_state {
	std::shared_ptr<partition_stats> stats;
	std::unique_ptr<partition_engine> engine; ///< counts in stats
	struct pending_drain {
		drain_request request;
		caf::typed_response_promise<void_reply> promise;
	};
	tick_schedule ticks;
	std::optional<pending_drain> drain;
	bool is_drain_check_pending = false;
	static inline char const *name = "disk_partition";
};

/// Thin shell round a partition_engine: the only place of the daemon where blocking device I/O happens. Spawn
/// it detached; tests spawn it on the test scheduler.
disk_partition_actor::behavior_type disk_partition(
	disk_partition_actor::stateful_pointer<disk_partition_state> self, disk_partition_config config);

} // namespace ezio
