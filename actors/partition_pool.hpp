#pragma once

#include "actors/core/device_route.hpp"
#include "actors/core/disk_budget.hpp"
#include "actors/messages.hpp"
#include "actors/timeouts.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ezio
{

/// A partition's mailbox as a port of a router.
std::shared_ptr<partition_port> make_partition_port(
	disk_partition_actor partition, std::shared_ptr<partition_stats> stats);

struct partition_pool_config {
	block_arena *arena = nullptr;
	hash_dispatcher *hashers = nullptr;
	/// A partition was spawned.
	std::function<void(std::string const &name, disk_partition_actor const &)> on_birth;
	/// A partition has nothing left to do and gets no more: it is to be stopped, and its end is no accident.
	/// Called by any thread, a partition's own among them.
	std::function<void(disk_partition_actor const &)> on_retirement;
	/// How long a change waits for what is under way before it is given up.
	std::chrono::milliseconds drain_time{timeouts::drain_partitions};
};

/// Numbers of all partitions and devices at one moment.
struct pool_numbers {
	struct partition {
		std::uint32_t index = 0;  ///< among those alive; given again when it is free
		std::uint64_t number = 0; ///< never given again
		std::uint64_t device = 0; ///< number of its device
		std::shared_ptr<partition_stats const> stats;
	};
	struct device {
		std::uint64_t number = 0; ///< never given again
		std::string name;
		disk_kind kind = disk_kind::unknown;
		std::uint32_t partitions = 0;
		std::shared_ptr<backpressure_stats const> backpressure;
	};
	std::vector<partition> partitions; ///< in the order of their index
	std::vector<device> devices;       ///< in the order of their coming
	/// What those counted that are no more, added.
	std::shared_ptr<partition_stats const> ended_partitions;
	std::shared_ptr<backpressure_stats const> ended_devices;
};

/// How a change of the number of partitions went.
struct partition_change {
	/// The new number holds for all devices but those that the failure names, and for those to come. False:
	/// everything is as it was.
	bool is_in_force = false;
	std::optional<error> failure; ///< errc::timed_out: a device did not end what it was doing
};

/// The detached partitions of the daemon, a set for each device that a storage is on, and how they share the
/// budget. A set is made with the first storage of its device and ends with the last one; every set changes
/// its number by itself, while jobs keep coming. Outlives all jobs. resize() and set_budget() are called by
/// one thread at a time, the rest by any.
class partition_pool final : public route_source
{
public:
	partition_pool(caf::actor_system &system, partition_pool_config config, disk_budget budget);
	~partition_pool() override;

	std::shared_ptr<device_route> route_for(disk_identity const &disk) override;
	void set_receiving(bool is_receiving) override;

	/// Puts a budget in force that has another number of partitions. Each device divides its pieces anew: new
	/// jobs wait until every partition of it has finished those before and forgotten its blocks, which takes
	/// what writing the dirty data takes. Blocks. A device where that does not come about in drain_time goes
	/// on as before, the others change.
	partition_change resize(disk_budget const &budget);
	/// Everything of a budget but the number of partitions.
	void set_budget(disk_budget const &budget);
	pool_numbers numbers() const;

private:
	class shared;
	class route;

	std::shared_ptr<shared> m_shared;
};

} // namespace ezio
