#include "actors/core/device_identity.hpp"

#include "actors/core/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

namespace ezio
{
namespace
{

constexpr std::uint64_t sysfs_sector_bytes = 512; // whatever the device's own are

/// First line of an attribute, without blanks around it; empty if there is none.
std::string attribute(std::filesystem::path const &path)
{
	std::ifstream file(path);
	std::string line;
	std::getline(file, line);
	auto const blanks = " \t\r\n";
	auto const begin = line.find_first_not_of(blanks);
	if (begin == std::string::npos)
		return {};
	return line.substr(begin, line.find_last_not_of(blanks) + 1 - begin);
}

std::string disk_name(std::filesystem::path const &disk)
{
	// From the most to the least telling; a disk has few of them.
	constexpr std::array<char const *, 8> known{"wwid", "device/wwid", "serial", "device/serial",
		"device/cid", "dm/uuid", "md/uuid", "loop/backing_file"};
	for (auto const *const name : known) {
		if (auto const value = attribute(disk / name); !value.empty())
			return std::filesystem::path(name).filename().string() + " " + value;
	}
	return {};
}

std::filesystem::path link_of(std::uint64_t number, system_paths const &paths)
{
	return std::filesystem::path(paths.sys) / "dev/block" /
		(std::to_string(major(number)) + ":" + std::to_string(minor(number)));
}

result<device_identity> identify_block_device(
	std::string const &path, std::uint64_t number, system_paths const &paths)
{
	auto const link = link_of(number, paths);
	std::error_code ec;
	auto const directory = std::filesystem::canonical(link, ec);
	if (ec)
		return make_io_error("realpath", link.string(), 0, 0, ec.value());
	device_identity identity;
	identity.is_block_device = true;
	auto const sectors = attribute(directory / "size");
	if (sectors.empty() || sectors.find_first_not_of("0123456789") != std::string::npos)
		return make_error(errc::internal, "sysfs does not know the size of " + path);
	identity.size_bytes = std::stoull(sectors) * sysfs_sector_bytes;
	bool const is_partition = std::filesystem::exists(directory / "partition", ec);
	identity.name = disk_name(is_partition ? directory.parent_path() : directory);
	if (is_partition)
		identity.name += (identity.name.empty() ? "start " : ", start ") + attribute(directory / "start");
	return identity;
}

} // namespace

result<device_identity> identify_device(std::string const &path, system_paths const &paths)
{
	struct statx status {
	};
	if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &status) != 0)
		return make_io_error("statx", path, 0, 0, errno);
	if (S_ISBLK(status.stx_mode))
		return identify_block_device(path, makedev(status.stx_rdev_major, status.stx_rdev_minor), paths);
	device_identity identity;
	identity.size_bytes = status.stx_size;
	identity.name = "inode " + std::to_string(status.stx_ino);
	if ((status.stx_mask & STATX_BTIME) != 0)
		identity.name += ", born " + std::to_string(status.stx_btime.tv_sec) + "." +
			std::to_string(status.stx_btime.tv_nsec);
	return identity;
}

std::string device_model(std::string const &path, system_paths const &paths)
{
	struct stat status {
	};
	std::error_code ec;
	if (::stat(path.c_str(), &status) != 0 || !S_ISBLK(status.st_mode))
		return {};
	auto directory = std::filesystem::canonical(link_of(status.st_rdev, paths), ec);
	if (ec)
		return {};
	if (std::filesystem::exists(directory / "partition", ec))
		directory = directory.parent_path();
	auto const vendor = attribute(directory / "device/vendor");
	auto const model = attribute(directory / "device/model");
	return vendor.empty() || model.empty() ? model : vendor + " " + model;
}

std::string difference(device_identity const &saved, device_identity const &now)
{
	if (saved.is_block_device != now.is_block_device)
		return saved.is_block_device ? "it was a block device" : "it was a file";
	if (saved.size_bytes != now.size_bytes)
		return "its size is " + std::to_string(now.size_bytes) + " bytes instead of " +
			std::to_string(saved.size_bytes);
	if (saved.name != now.name)
		return "it is \"" + now.name + "\" instead of \"" + saved.name + "\"";
	return {};
}

} // namespace ezio
