#pragma once

#include "actors/core/block_topology.hpp"

#include <cstdint>
#include <string_view>

namespace ezio
{

/// What a disk is good at, as far as the number of concurrent transfers goes.
enum class disk_kind : std::uint8_t {
	unknown,
	rotational, ///< one head: each stream beside another costs seeks
	solid,      ///< SATA or the like, or a virtual disk: a queue, but one link
	nvme,       ///< many queues
};

/// "rotational".
std::string_view to_string(disk_kind kind);

/// The fastest kind among the disks of this machine (loop, ram, device mapper, md and removable ones do not
/// count); unknown if there is none or sysfs does not tell. What a hypervisor says of a virtual disk's
/// rotation means nothing: those are solid.
disk_kind fastest_disk(system_paths const &paths = {});

} // namespace ezio
