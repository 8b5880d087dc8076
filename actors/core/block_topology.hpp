#pragma once

#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

/// Where the kernel's views are mounted. Tests put made-up trees here.
struct system_paths {
	std::string sys = "/sys";
	std::string proc = "/proc";
};

/// What bytes are finally kept on, as far as it can be followed: a disk or a file.
struct storage_identity {
	std::uint64_t device_number = 0;
	std::uint64_t inode = 0; ///< files only
	std::uint64_t disk_sequence =
		0;                    ///< block devices only: tells a disk from its successor under the same number
	std::string deleted_file; ///< a loop device's file that has no name any more: how the kernel calls it
	friend bool operator==(storage_identity const &, storage_identity const &) = default;
};

/// The bytes of a device or file as a range of what they are kept on. Partitions are followed to their disk
/// and loop devices to their file or device, so that two views of the same bytes intersect. Device mapper and
/// md are not followed: their parts are found busy as "held" instead.
struct storage_location {
	storage_identity storage;
	byte_range range;
	std::vector<std::uint64_t> passed; ///< numbers of all block devices on the way, beginning with itself

	bool intersects(storage_location const &other) const;
};

/// One line of mountinfo.
struct mounted_file_system {
	std::uint64_t device_number = 0; ///< anonymous for file systems of several devices (btrfs)
	std::string mount_point;
	std::string type;
	std::string source;
};

/// A block device that exists now.
struct block_device_entry {
	std::string name; ///< "sda1"
	std::uint64_t device_number = 0;
	bool is_loop = false;             ///< attached to a file or device
	std::vector<std::string> holders; ///< names of block devices built on it: "dm-0", "md127"
};

/// Reads from sysfs and procfs how block devices, files, mounts and swap areas relate. Stateless: every call
/// looks anew. Any thread.
class block_topology
{
public:
	explicit block_topology(system_paths paths = {}) : m_paths(std::move(paths)) {}

	/// Fails only if sysfs does not know the device or contradicts itself.
	result<storage_location> locate_block_device(std::uint64_t device_number) const;
	storage_location locate_file(
		std::uint64_t device_number, std::uint64_t inode, std::uint64_t size_bytes) const;

	result<std::vector<mounted_file_system>> mounts() const;
	/// Devices and files in use as swap; none where the kernel has no swap.
	result<std::vector<std::string>> swap_areas() const;
	/// All block devices with a size.
	result<std::vector<block_device_entry>> block_devices() const;
	bool is_known_block_device(std::uint64_t device_number) const;

private:
	std::string directory_of(std::uint64_t device_number) const;
	result<storage_location> locate(std::uint64_t device_number, int depth) const;

	system_paths m_paths;
};

/// Undoes the octal escapes of mountinfo and swaps: "\\040" is a space.
std::string unescape_octal(std::string const &text);

} // namespace ezio
