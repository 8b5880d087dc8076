#include "ctl/create/source_check.hpp"

#include "actors/core/block_topology.hpp"
#include "actors/core/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ezio
{
namespace
{

namespace fs = std::filesystem;

std::string device_name(dev_t device)
{
	return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

/// One line of a file of /sys; empty if there is none.
std::string first_line(fs::path const &path)
{
	std::ifstream file(path);
	std::string line;
	std::getline(file, line);
	return line;
}

std::vector<fs::path> entries_of(fs::path const &directory)
{
	std::error_code missing; // a device without partitions, holders, or without /sys
	fs::directory_iterator i(directory, missing);
	if (missing)
		return {};
	std::vector<fs::path> out;
	for (; i != fs::directory_iterator(); i.increment(missing)) {
		if (missing)
			break;
		out.push_back(i->path());
	}
	return out;
}

/// The device, its partitions and what is stacked on either.
void add_with_dependents(std::string const &device, std::set<std::string> &devices)
{
	if (device.empty() || !devices.insert(device).second)
		return;
	fs::path const node = "/sys/dev/block/" + device;
	for (auto const &entry : entries_of(node)) {
		std::error_code failed;
		if (fs::exists(entry / "partition", failed))
			add_with_dependents(first_line(entry / "dev"), devices);
	}
	for (auto const &holder : entries_of(node / "holders"))
		add_with_dependents(first_line(holder / "dev"), devices);
}

std::set<std::string> devices_of(struct stat const &source)
{
	std::set<std::string> devices;
	if (S_ISBLK(source.st_mode)) {
		add_with_dependents(device_name(source.st_rdev), devices);
		return devices;
	}
	for (auto const &block : entries_of("/sys/block")) {
		auto const backing = first_line(block / "loop/backing_file");
		struct stat status = {};
		if (!backing.empty() && ::stat(backing.c_str(), &status) == 0 && status.st_dev == source.st_dev &&
			status.st_ino == source.st_ino)
			add_with_dependents(first_line(block / "dev"), devices);
	}
	return devices;
}

bool is_device_path_in(std::string const &path, std::set<std::string> const &devices)
{
	struct stat status = {};
	return path.starts_with('/') && ::stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode) &&
		devices.contains(device_name(status.st_rdev));
}

} // namespace

result<source_use> find_source_use(std::string const &path)
{
	struct stat status = {};
	if (::stat(path.c_str(), &status) != 0)
		return make_path_error("stat", path, errno);
	auto const devices = devices_of(status);
	source_use out;
	std::ifstream mounts("/proc/self/mountinfo");
	if (!mounts)
		return make_error(errc::io_error, "/proc/self/mountinfo cannot be read");
	for (std::string line; std::getline(mounts, line);) {
		std::istringstream stream(line);
		std::vector<std::string> const words{std::istream_iterator<std::string>(stream), {}};
		std::size_t dash = 6;
		while (dash < words.size() && words[dash] != "-")
			++dash;
		if (dash + 3 >= words.size())
			continue;
		// btrfs gives its mounts a device number of their own: the source's path tells.
		if (!devices.contains(words[2]) && !is_device_path_in(unescape_octal(words[dash + 2]), devices))
			continue;
		out.is_mounted = true;
		auto const &options = words[dash + 3];
		if (options == "rw" || options.starts_with("rw,"))
			out.writable_mount = unescape_octal(words[4]);
	}
	auto const swaps = block_topology().swap_areas();
	if (!swaps)
		return swaps.failure();
	for (auto const &area : *swaps)
		out.is_swap = out.is_swap || is_device_path_in(area, devices);
	return out;
}

result<std::string> write_mark(std::string const &path)
{
	unique_fd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	struct stat status = {};
	if (!fd)
		return make_path_error("open", path, errno);
	if (::fsync(fd.number()) != 0 && errno != EINVAL && errno != EROFS)
		return make_path_error("fsync", path, errno);
	if (::fstat(fd.number(), &status) != 0)
		return make_path_error("stat", path, errno);
	if (!S_ISBLK(status.st_mode)) {
		auto const time = [](timespec const &t) {
			return std::to_string(t.tv_sec) + "." + std::to_string(t.tv_nsec);
		};
		return std::to_string(status.st_size) + " " + time(status.st_mtim) + " " + time(status.st_ctim);
	}
	std::ifstream counters("/sys/dev/block/" + device_name(status.st_rdev) + "/stat");
	std::vector<std::string> const words{std::istream_iterator<std::string>(counters), {}};
	constexpr std::size_t sectors_written = 6;
	if (words.size() <= sectors_written)
		return make_error(errc::io_error, "the write counter of " + path + " cannot be read");
	return words[sectors_written];
}

} // namespace ezio
