#pragma once

#include "actors/core/job_router.hpp"
#include "actors/messages.hpp"
#include "actors/timeouts.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace ezio
{

/// A partition's mailbox as a port of the router.
std::shared_ptr<partition_port> make_partition_port(disk_partition_actor partition);

struct partition_pool_config {
	block_arena *arena = nullptr;
	hash_dispatcher *hashers = nullptr;
	/// A partition was spawned.
	std::function<void(std::uint32_t index, disk_partition_actor const &)> on_birth;
	/// A partition has nothing left to do and gets no more: it is to be stopped, and its end is no accident.
	std::function<void(disk_partition_actor const &)> on_retirement;
	/// How long a change waits for what is under way before it is given up.
	std::chrono::milliseconds drain_time{timeouts::drain_partitions};
};

/// Numbers of the partitions at one moment.
struct partition_numbers {
	std::vector<std::shared_ptr<partition_stats const>> active; ///< in the order of their index
	/// Of partitions that are no more, until another is spawned under their index and counts on.
	std::vector<std::shared_ptr<partition_stats const>> ended;
};

/// The detached partitions of the daemon and the router to them: their number can change while jobs keep
/// coming. Outlives all jobs. resize() and set_limits() are called by one thread at a time, the rest by any.
class partition_pool
{
public:
	partition_pool(caf::actor_system &system, partition_pool_config config);

	job_router &router() { return m_router; }

	/// Divides the pieces anew. New jobs wait until every partition has finished those before and forgotten
	/// its blocks, which takes what writing the dirty data takes. Blocks. If that does not come about in
	/// drain_time, everything goes on as before; errc::timed_out says so.
	result<void> resize(std::uint32_t count, engine_limits limits);
	void set_limits(engine_limits limits);
	std::uint32_t size() const;
	partition_numbers numbers() const;

private:
	disk_partition_actor spawn(std::uint32_t index, engine_limits limits);
	result<void> drain(std::uint32_t surviving);

	caf::actor_system &m_system;
	partition_pool_config m_config;
	job_router m_router;
	mutable std::mutex m_mutex;
	std::vector<disk_partition_actor> m_partitions;           ///< written under m_mutex
	std::vector<std::shared_ptr<partition_stats>> m_counters; ///< by index, never fewer; as m_partitions
};

} // namespace ezio
