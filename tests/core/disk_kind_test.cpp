#include "actors/core/disk_kind.hpp"

#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace ezio;
using namespace ezio::test;
namespace fs = std::filesystem;

namespace
{

struct made_up_disk {
	std::string name;
	bool is_rotational = false;
	bool is_hardware = true;
	bool is_removable = false;
	std::uint64_t sectors = 1000;
};

disk_kind kind_of(made_up_disk const &d)
{
	temporary_directory const directory;
	auto const home = fs::path(directory.file(d.name));
	fs::create_directories(home / "queue");
	if (d.is_hardware)
		fs::create_directories(home / "device");
	std::ofstream(home / "size") << d.sectors << '\n';
	std::ofstream(home / "removable") << d.is_removable << '\n';
	std::ofstream(home / "queue/rotational") << d.is_rotational << '\n';
	return disk_kind_of(home.string());
}

} // namespace

TEST_CASE("what is no disk of the machine's own is of unknown kind")
{
	CHECK(kind_of({"loop0", false, false}) == disk_kind::unknown);
	CHECK(kind_of({"sdb", false, true, true}) == disk_kind::unknown);
	CHECK(kind_of({"sdc", false, true, false, 0}) == disk_kind::unknown);
	CHECK(disk_kind_of("/nowhere/sdd") == disk_kind::unknown);
}

TEST_CASE("a disk is rotational, solid or has many queues")
{
	CHECK(kind_of({"sda", true}) == disk_kind::rotational);
	CHECK(kind_of({"sdb"}) == disk_kind::solid);
	CHECK(kind_of({"nvme0n1"}) == disk_kind::nvme);
}

TEST_CASE("a virtual disk is solid whatever its hypervisor says of rotation")
{
	CHECK(kind_of({"vda", true}) == disk_kind::solid);
}
