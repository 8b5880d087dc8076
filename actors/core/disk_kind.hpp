#pragma once

#include <cstdint>
#include <string>
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

/// The kind of the disk whose directory in sysfs this is (/sys/block/sda), without symbolic links. Unknown
/// for loop devices, RAM disks, device mapper and md, for removable disks, and where sysfs does not tell.
/// What a hypervisor says of a virtual disk's rotation means nothing: those are solid.
disk_kind disk_kind_of(std::string const &directory);

} // namespace ezio
