#include "actors/core/target_rules.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace ezio
{
namespace
{

/// Where a path named by the kernel (a mount's source, a swap area) keeps its bytes; none if it is no device
/// and no file, or none that is visible from here.
result<std::optional<storage_location>> locate_path(std::string const &path, block_topology const &topology)
{
	struct stat status {
	};
	if (::stat(path.c_str(), &status) != 0)
		return std::optional<storage_location>{};
	if (S_ISREG(status.st_mode))
		return std::optional(
			topology.locate_file(status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size)));
	if (!S_ISBLK(status.st_mode) || !topology.is_known_block_device(status.st_rdev))
		return std::optional<storage_location>{};
	auto location = topology.locate_block_device(status.st_rdev);
	if (!location)
		return location.failure();
	return std::optional(std::move(location).value());
}

result<std::optional<storage_location>> locate_mount(
	mounted_file_system const &mount, block_topology const &topology)
{
	if (topology.is_known_block_device(mount.device_number)) {
		auto location = topology.locate_block_device(mount.device_number);
		if (!location)
			return location.failure();
		return std::optional(std::move(location).value());
	}
	// btrfs and others mount under an anonymous number: their source names the device.
	if (mount.source.starts_with('/'))
		return locate_path(mount.source, topology);
	return std::optional<storage_location>{};
}

} // namespace

result<void> check_write_protection(target_facts const &target)
{
	if (!target.device.is_read_only)
		return {};
	if (target.device.geometry.is_block_device)
		return refuse_target("read-only", target.path, "the device is write-protected",
			"remove the protection (blockdev --setrw) or give another target");
	return refuse_target("read-only", target.path, "the file is on a file system that is mounted read-only",
		"remount it or give another target");
}

result<void> check_size(target_facts const &target)
{
	auto const size = target.device.geometry.size_bytes;
	if (target.highest_end_bytes <= size)
		return {};
	auto const why = "the torrent needs " + std::to_string(target.highest_end_bytes) +
		" bytes, the target has " + std::to_string(size);
	if (target.device.geometry.is_block_device)
		return refuse_target("too-small", target.path, why, "give a larger device");
	if (target.access == device_access::read_only)
		return refuse_target("too-small", target.path, why, "only the complete image can be seeded");
	return refuse_target("too-small", target.path, why, "--allow too-small extends the file");
}

result<void> check_alignment(target_facts const &target, extent_map const &extents)
{
	auto const sector = target.device.geometry.logical_sector_bytes;
	if (!target.device.geometry.is_block_device)
		return {};
	for (auto const &range : extents.device_ranges()) {
		if (range.offset_bytes % sector == 0 && range.length_bytes % sector == 0)
			continue;
		return refuse_target("misaligned", target.path,
			"the extent at " + std::to_string(range.offset_bytes) + " of " +
				std::to_string(range.length_bytes) + " bytes does not lie on whole sectors of " +
				std::to_string(sector) + " bytes",
			"--allow misaligned writes it nevertheless, but a file system made for smaller sectors may not "
			"mount");
	}
	return {};
}

result<void> check_overlap(target_facts const &target, std::vector<extents_in_use> const &others)
{
	for (auto const &other : others) {
		if (other.location.storage != target.location.storage ||
			(other.access == device_access::read_only && target.access == device_access::read_only))
			continue;
		auto mine = target.ranges.begin();
		auto theirs = other.ranges.begin();
		while (mine != target.ranges.end() && theirs != other.ranges.end()) {
			if (mine->end_bytes() <= theirs->offset_bytes) {
				++mine;
			} else if (theirs->end_bytes() <= mine->offset_bytes) {
				++theirs;
			} else {
				auto const base = target.location.range.offset_bytes;
				auto const common = std::max(mine->offset_bytes, theirs->offset_bytes) - base;
				return refuse_target("overlap", target.path,
					"torrent " + other.info_hash + " uses the same bytes, at " + std::to_string(common),
					"remove that torrent first");
			}
		}
	}
	return {};
}

result<void> check_swap(target_facts const &target, block_topology const &topology)
{
	auto const areas = topology.swap_areas();
	if (!areas)
		return areas.failure();
	for (auto const &area : *areas) {
		auto const location = locate_path(area, topology);
		if (!location)
			return location.failure();
		if (*location && (*location)->intersects(target.location))
			return refuse_target(
				"swap", target.path, area + " is in use as swap", "swapoff " + area + " first");
	}
	return {};
}

result<void> check_mounts(target_facts const &target, block_topology const &topology)
{
	auto const mounts = topology.mounts();
	if (!mounts)
		return mounts.failure();
	for (auto const &mount : *mounts) {
		auto const location = locate_mount(mount, topology);
		if (!location)
			return location.failure();
		if (*location && (*location)->intersects(target.location))
			return refuse_target("mounted", target.path, mount.source + " is mounted on " + mount.mount_point,
				"unmount it, or --allow mounted");
	}
	return {};
}

result<void> check_holders(target_facts const &target, block_topology const &topology)
{
	auto const blocks = topology.block_devices();
	if (!blocks)
		return blocks.failure();
	for (auto const &block : *blocks) {
		auto const location = topology.locate_block_device(block.device_number);
		if (!location) {
			// It may have vanished between the listing and now.
			if (!topology.is_known_block_device(block.device_number))
				continue;
			return location.failure();
		}
		if (!location->intersects(target.location))
			continue;
		if (!block.holders.empty())
			return refuse_target("held", target.path, block.name + " is part of " + block.holders.front(),
				"take that device down, or --allow held");
		auto const &passed = target.location.passed;
		bool const is_beneath = std::find(passed.begin(), passed.end(), block.device_number) != passed.end();
		if (block.is_loop && !is_beneath)
			return refuse_target("held", target.path, "the loop device " + block.name + " is attached to it",
				"detach it (losetup -d /dev/" + block.name + "), or --allow held");
	}
	return {};
}

} // namespace ezio
