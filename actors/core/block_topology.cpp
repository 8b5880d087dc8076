#include "actors/core/block_topology.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

namespace ezio
{
namespace
{

// Loop on partition on loop ...: deeper than anyone stacks them, and a bound if sysfs is inconsistent.
constexpr int depth_max = 16;
// sysfs counts in these, whatever the sector size of the device.
constexpr std::uint64_t sysfs_sector_bytes = 512;

error read_error(std::string const &path, std::string const &what)
{
	auto e = make_error(errc::io_error, what);
	e.operation = "read";
	e.device = path;
	return e;
}

std::optional<std::uint64_t> read_number(std::string const &path)
{
	std::ifstream file(path);
	std::uint64_t value = 0;
	if (!(file >> value))
		return std::nullopt;
	return value;
}

std::optional<std::string> read_line(std::string const &path)
{
	std::ifstream file(path);
	std::string line;
	if (!std::getline(file, line))
		return std::nullopt;
	return line;
}

std::optional<std::uint64_t> parse_device_number(std::string const &text)
{
	std::istringstream in(text);
	unsigned major_number = 0;
	unsigned minor_number = 0;
	char colon = 0;
	if (!(in >> major_number >> colon >> minor_number) || colon != ':')
		return std::nullopt;
	return makedev(major_number, minor_number);
}

bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

} // namespace

bool storage_location::intersects(storage_location const &other) const
{
	return storage == other.storage && range.offset_bytes < other.range.end_bytes() &&
		other.range.offset_bytes < range.end_bytes();
}

std::string unescape_octal(std::string const &text)
{
	std::string plain;
	for (std::size_t i = 0; i < text.size(); ++i) {
		if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
			is_octal(text[i + 3])) {
			plain +=
				static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
			i += 3;
		} else {
			plain += text[i];
		}
	}
	return plain;
}

std::string block_topology::directory_of(std::uint64_t device_number) const
{
	return m_paths.sys + "/dev/block/" + std::to_string(major(device_number)) + ':' +
		std::to_string(minor(device_number));
}

bool block_topology::is_known_block_device(std::uint64_t device_number) const
{
	std::error_code ec;
	return std::filesystem::exists(directory_of(device_number), ec);
}

storage_location block_topology::locate_file(
	std::uint64_t device_number, std::uint64_t inode, std::uint64_t size_bytes) const
{
	storage_location location;
	location.storage.device_number = device_number;
	location.storage.inode = inode;
	location.range.length_bytes = size_bytes;
	return location;
}

result<storage_location> block_topology::locate_block_device(std::uint64_t device_number) const
{
	return locate(device_number, 0);
}

result<storage_location> block_topology::locate(std::uint64_t device_number, int depth) const
{
	auto const directory = directory_of(device_number);
	auto const sectors = read_number(directory + "/size");
	if (!sectors)
		return read_error(directory + "/size", "not a block device that the kernel knows");
	if (depth > depth_max)
		return read_error(directory, "devices are stacked in a circle or too deep");
	auto const size = *sectors * sysfs_sector_bytes;

	storage_location beneath;
	std::uint64_t offset = 0;
	if (read_number(directory + "/partition")) {
		auto const start = read_number(directory + "/start");
		auto const disk = read_line(directory + "/../dev");
		auto const disk_number = disk ? parse_device_number(*disk) : std::nullopt;
		if (!start || !disk_number)
			return read_error(directory, "a partition without start or disk");
		auto parent = locate(*disk_number, depth + 1);
		if (!parent)
			return parent;
		beneath = std::move(parent).value();
		offset = *start * sysfs_sector_bytes;
	} else if (auto const file = read_line(directory + "/loop/backing_file")) {
		offset = read_number(directory + "/loop/offset").value_or(0);
		struct stat status {
		};
		if (::stat(file->c_str(), &status) != 0) {
			beneath.storage.deleted_file = *file;
		} else if (S_ISBLK(status.st_mode)) {
			auto device = locate(status.st_rdev, depth + 1);
			if (!device)
				return device;
			beneath = std::move(device).value();
		} else {
			beneath = locate_file(status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size));
		}
	} else {
		beneath.storage.device_number = device_number;
		beneath.storage.disk_sequence = read_number(directory + "/diskseq").value_or(0);
	}
	beneath.range = {beneath.range.offset_bytes + offset, size};
	beneath.passed.insert(beneath.passed.begin(), device_number);
	return beneath;
}

result<std::vector<mounted_file_system>> block_topology::mounts() const
{
	auto const path = m_paths.proc + "/self/mountinfo";
	std::ifstream file(path);
	if (!file)
		return read_error(path, "cannot be opened");
	std::vector<mounted_file_system> found;
	std::string line;
	while (std::getline(file, line)) {
		// id parent major:minor root mount-point options [optional ...] - type source super-options
		std::istringstream in(line);
		std::string skipped;
		std::string device;
		std::string point;
		in >> skipped >> skipped >> device >> skipped >> point;
		while (in >> skipped && skipped != "-") {
		}
		mounted_file_system entry;
		std::string source;
		auto const number = parse_device_number(device);
		if (!(in >> entry.type >> source) || !number)
			return read_error(path, "a line that cannot be understood: " + line);
		entry.device_number = *number;
		entry.mount_point = unescape_octal(point);
		entry.source = unescape_octal(source);
		found.push_back(std::move(entry));
	}
	return found;
}

result<std::vector<std::string>> block_topology::swap_areas() const
{
	auto const path = m_paths.proc + "/swaps";
	std::vector<std::string> found;
	std::error_code ec;
	if (!std::filesystem::exists(path, ec) && !ec)
		return found;
	std::ifstream file(path);
	std::string line;
	if (!std::getline(file, line))
		return read_error(path, "cannot be read");
	while (std::getline(file, line))
		found.push_back(unescape_octal(line.substr(0, line.find_first_of(" \t"))));
	return found;
}

result<std::vector<block_device_entry>> block_topology::block_devices() const
{
	namespace fs = std::filesystem;
	auto const path = m_paths.sys + "/class/block";
	std::vector<block_device_entry> found;
	std::error_code ec;
	for (fs::directory_iterator entry(path, ec), end; !ec && entry != end; entry.increment(ec)) {
		auto const directory = entry->path().string();
		auto const device = read_line(directory + "/dev");
		auto const number = device ? parse_device_number(*device) : std::nullopt;
		// A device can vanish while we look; one without a size cannot share a byte with anything.
		if (!number || read_number(directory + "/size").value_or(0) == 0)
			continue;
		block_device_entry block;
		block.name = entry->path().filename().string();
		block.device_number = *number;
		block.is_loop = fs::exists(directory + "/loop/backing_file");
		std::error_code no_holders;
		for (fs::directory_iterator holder(directory + "/holders", no_holders); !no_holders && holder != end;
			 holder.increment(no_holders))
			block.holders.push_back(holder->path().filename().string());
		std::sort(block.holders.begin(), block.holders.end());
		found.push_back(std::move(block));
	}
	if (ec)
		return read_error(path, ec.message());
	return found;
}

} // namespace ezio
