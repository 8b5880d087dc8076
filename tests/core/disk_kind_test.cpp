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

struct made_up_disks {
	temporary_directory directory;
	system_paths paths{directory.file("sys"), directory.file("proc")};

	struct disk {
		std::string name;
		bool is_rotational = false;
		bool is_hardware = true;
		bool is_removable = false;
		std::uint64_t sectors = 1000;
	};
	void add(disk const &d)
	{
		auto const home = fs::path(paths.sys) / "block" / d.name;
		fs::create_directories(home / "queue");
		if (d.is_hardware)
			fs::create_directories(home / "device");
		std::ofstream(home / "size") << d.sectors << '\n';
		std::ofstream(home / "removable") << d.is_removable << '\n';
		std::ofstream(home / "queue/rotational") << d.is_rotational << '\n';
	}
	disk_kind fastest() const { return fastest_disk(paths); }
};

} // namespace

TEST_CASE_METHOD(made_up_disks, "without a disk of its own a machine's kind is unknown")
{
	CHECK(fastest() == disk_kind::unknown);
	add({"loop0", false, false, false, 1000});
	add({"sdb", false, true, true, 1000});
	add({"sdc", false, true, false, 0});
	CHECK(fastest() == disk_kind::unknown);
}

TEST_CASE_METHOD(made_up_disks, "the fastest disk makes the kind")
{
	add({"sda", true, true, false, 1000});
	CHECK(fastest() == disk_kind::rotational);
	add({"sdb", false, true, false, 1000});
	CHECK(fastest() == disk_kind::solid);
	add({"nvme0n1", false, true, false, 1000});
	CHECK(fastest() == disk_kind::nvme);
}

TEST_CASE_METHOD(made_up_disks, "a virtual disk is solid whatever its hypervisor says of rotation")
{
	add({"vda", true, true, false, 1000});
	CHECK(fastest() == disk_kind::solid);
}
