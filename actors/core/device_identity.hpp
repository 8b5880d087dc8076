#pragma once

#include "actors/core/block_topology.hpp"
#include "actors/core/result.hpp"

#include <cstdint>
#include <string>

namespace ezio
{

/// What tells a device or image file from another one under the same path, as far as it has something of its
/// own: after a restart /dev/sdb may be another disk.
struct device_identity {
	std::uint64_t size_bytes = 0;
	bool is_block_device = false;
	/// Of a block device: what sysfs calls its disk (a WWID, a serial number, a loop device's file), and
	/// where a partition starts: "wwid naa.5000c500a1b2c3d4, start 2048". Of a file: its inode and birth.
	/// Empty if there is nothing.
	std::string name;

	friend bool operator==(device_identity const &, device_identity const &) = default;
};

/// Looks at what @p path is now. Any thread; opens nothing.
result<device_identity> identify_device(std::string const &path, system_paths const &paths = {});

/// What sysfs calls the make of the disk that @p path is, or is a partition of: "Samsung SSD 980"; empty if
/// it does not, as for a file. For reports. Any thread; opens nothing but sysfs.
std::string device_model(std::string const &path, system_paths const &paths = {});

/// One clause that says how @p now differs from @p saved: "its size is 1024 bytes instead of 2048"; empty if
/// they may be the same.
std::string difference(device_identity const &saved, device_identity const &now);

} // namespace ezio
