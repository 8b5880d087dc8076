#pragma once

#include "actors/core/block_topology.hpp"
#include "actors/core/disk_kind.hpp"

#include <cstdint>
#include <string>

namespace ezio
{

/// The device whose speed decides how fast a target is: targets on the same one delay each other, targets on
/// different ones must not.
struct disk_identity {
	/// Of the whole disk; for an image file on a file system that is on no block device (tmpfs) or on several
	/// (btrfs), of the file system.
	std::uint64_t device_number = 0;
	std::string name; ///< for reports: "/dev/sda", or where the file system is mounted
	disk_kind kind = disk_kind::unknown;
};

/// A partition belongs to its disk; a loop, device mapper or md device is one by itself, since its own queue
/// can be slow whatever lies below. Never fails: a device that sysfs does not know stands for itself.
disk_identity disk_of_block_device(std::uint64_t device_number, system_paths const &paths = {});
/// The disk that a file's file system (st_dev) is on.
disk_identity disk_of_file(std::uint64_t file_system_number, system_paths const &paths = {});

/// Does every seek cost milliseconds? Of a block device, or of a file system by its number (st_dev). Loop
/// devices are followed to their file's disk, device mapper and md to their parts, of which one is enough.
/// What a hypervisor says of a virtual disk's rotation means nothing here either. False where sysfs knows no
/// disk.
bool is_rotating(std::uint64_t device_number, system_paths const &paths = {});

} // namespace ezio
