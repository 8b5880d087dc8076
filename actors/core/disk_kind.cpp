#include "actors/core/disk_kind.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace ezio
{
namespace
{

namespace fs = std::filesystem;

/// 0 if it cannot be read, which is what a file system without the attribute amounts to.
std::uint64_t number_in(fs::path const &path)
{
	std::ifstream file(path);
	std::uint64_t value = 0;
	return file >> value ? value : 0;
}

} // namespace

std::string_view to_string(disk_kind kind)
{
	switch (kind) {
	case disk_kind::unknown:
		return "unknown";
	case disk_kind::rotational:
		return "rotational";
	case disk_kind::solid:
		return "solid";
	case disk_kind::nvme:
		return "nvme";
	}
	return "unknown";
}

disk_kind disk_kind_of(std::string const &path)
{
	fs::path const directory = path;
	auto const name = directory.filename().string();
	std::error_code ec;
	bool const is_hardware = fs::exists(directory / "device", ec);
	if (!is_hardware || number_in(directory / "size") == 0 || number_in(directory / "removable") != 0)
		return disk_kind::unknown;
	if (name.starts_with("nvme"))
		return disk_kind::nvme;
	bool const is_virtual = name.starts_with("vd") || name.starts_with("xvd");
	return !is_virtual && number_in(directory / "queue/rotational") != 0 ? disk_kind::rotational
																		 : disk_kind::solid;
}

} // namespace ezio
