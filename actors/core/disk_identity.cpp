#include "actors/core/disk_identity.hpp"

#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

namespace ezio
{
namespace
{

namespace fs = std::filesystem;

std::string number_text(std::uint64_t device_number)
{
	return std::to_string(major(device_number)) + ':' + std::to_string(minor(device_number));
}

std::optional<std::uint64_t> read_device_number(fs::path const &path)
{
	std::ifstream file(path);
	unsigned major_number = 0;
	unsigned minor_number = 0;
	char colon = 0;
	if (!(file >> major_number >> colon >> minor_number) || colon != ':')
		return std::nullopt;
	return makedev(major_number, minor_number);
}

// Deeper than anyone stacks them, and a bound if sysfs is inconsistent.
constexpr int depth_max = 16;

bool is_rotating_below(std::uint64_t device_number, system_paths const &paths, int depth)
{
	if (depth > depth_max)
		return false;
	block_topology const topology(paths);
	auto const location = topology.locate_block_device(device_number);
	if (!location)
		return false;
	auto const &storage = location->storage;
	bool const is_followed = topology.is_known_block_device(storage.device_number);
	if (storage.inode != 0 && is_followed)
		return is_rotating_below(storage.device_number, paths, depth + 1);
	// A loop device whose file is gone, or on no device or several: what the kernel makes of it.
	auto const number = is_followed ? storage.device_number : device_number;
	std::error_code ec;
	auto const directory = fs::canonical(paths.sys + "/dev/block/" + number_text(number), ec);
	if (ec)
		return false;
	bool has_parts = false;
	for (fs::directory_iterator part(directory / "slaves", ec), end; !ec && part != end; part.increment(ec)) {
		has_parts = true;
		auto const below = read_device_number(part->path() / "dev");
		if (below && is_rotating_below(*below, paths, depth + 1))
			return true;
	}
	if (has_parts)
		return false;
	auto const kind = disk_kind_of(directory.string());
	if (kind != disk_kind::unknown)
		return kind == disk_kind::rotational;
	int flag = 0;
	return std::ifstream(directory / "queue/rotational") >> flag && flag != 0;
}

} // namespace

disk_identity disk_of_block_device(std::uint64_t device_number, system_paths const &paths)
{
	disk_identity found;
	found.device_number = device_number;
	found.name = number_text(device_number);
	std::error_code ec;
	auto directory = fs::canonical(paths.sys + "/dev/block/" + number_text(device_number), ec);
	if (ec)
		return found;
	if (fs::exists(directory / "partition", ec)) {
		auto const disk = read_device_number(directory.parent_path() / "dev");
		if (!disk)
			return found;
		found.device_number = *disk;
		directory = directory.parent_path();
	}
	found.name = directory.filename().string();
	// sysfs writes a slash in a device's name so.
	std::replace(found.name.begin(), found.name.end(), '!', '/');
	found.name.insert(0, "/dev/");
	found.kind = disk_kind_of(directory.string());
	return found;
}

disk_identity disk_of_file(std::uint64_t file_system_number, system_paths const &paths)
{
	block_topology const topology(paths);
	if (topology.is_known_block_device(file_system_number))
		return disk_of_block_device(file_system_number, paths);
	disk_identity found;
	found.device_number = file_system_number;
	found.name = number_text(file_system_number);
	auto const mounts = topology.mounts();
	if (!mounts)
		return found; // the name is for reports only
	for (auto const &mount : *mounts) {
		if (mount.device_number == file_system_number) {
			found.name = mount.mount_point;
			break;
		}
	}
	return found;
}

bool is_rotating(std::uint64_t device_number, system_paths const &paths)
{
	return is_rotating_below(device_number, paths, 0);
}

} // namespace ezio
