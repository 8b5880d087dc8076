#include "actors/core/block_topology.hpp"

#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <map>

using namespace ezio;
using namespace ezio::test;
namespace fs = std::filesystem;

namespace
{

/// A sysfs and a procfs made of files.
class made_up_system
{
public:
	system_paths paths() const { return {m_directory.file("sys"), m_directory.file("proc")}; }

	void add_device(std::string const &name, std::string const &number, std::uint64_t sectors,
		std::string const &disk = {})
	{
		auto const home = fs::path(m_directory.file("sys")) / "devices" / disk / name;
		m_homes[name] = home;
		write(home / "dev", number);
		write(home / "size", std::to_string(sectors));
		fs::create_directories(home / "holders");
		for (auto const &link : {fs::path("class/block") / name, fs::path("dev/block") / number}) {
			auto const path = fs::path(m_directory.file("sys")) / link;
			fs::create_directories(path.parent_path());
			fs::create_directory_symlink(home, path);
		}
	}
	void attribute(std::string const &device, std::string const &name, std::string const &value)
	{
		write(m_homes.at(device) / name, value);
	}
	void proc(std::string const &name, std::string const &text)
	{
		write(fs::path(m_directory.file("proc")) / name, text);
	}
	std::string file(std::string const &name) const { return m_directory.file(name); }

private:
	static void write(fs::path const &path, std::string const &text)
	{
		fs::create_directories(path.parent_path());
		std::ofstream(path) << text << '\n';
	}

	temporary_directory m_directory;
	std::map<std::string, fs::path> m_homes;
};

storage_location located(block_topology const &topology, std::uint64_t number)
{
	auto location = topology.locate_block_device(number);
	if (!location)
		FAIL(to_string(location.failure()));
	return std::move(location).value();
}

} // namespace

TEST_CASE("a partition lies on its disk, neighbours do not intersect")
{
	made_up_system system;
	system.add_device("sdx", "8:160", 20000);
	system.add_device("sdx1", "8:161", 8000, "sdx");
	system.attribute("sdx1", "partition", "1");
	system.attribute("sdx1", "start", "2048");
	system.add_device("sdx2", "8:162", 8000, "sdx");
	system.attribute("sdx2", "partition", "2");
	system.attribute("sdx2", "start", "10048");
	block_topology const topology(system.paths());

	auto const disk = located(topology, makedev(8, 160));
	auto const first = located(topology, makedev(8, 161));
	auto const second = located(topology, makedev(8, 162));
	CHECK(first.range == byte_range{2048 * 512, 8000 * 512});
	CHECK(first.storage == disk.storage);
	CHECK(first.intersects(disk));
	CHECK(disk.intersects(second));
	CHECK_FALSE(first.intersects(second));
	CHECK(first.passed == std::vector<std::uint64_t>{makedev(8, 161), makedev(8, 160)});
}

TEST_CASE("a loop device lies on its file, from its offset on")
{
	made_up_system system;
	make_sparse_file(system.file("image"), 1 << 20);
	system.add_device("loop90", "7:90", 1024);
	system.attribute("loop90", "loop/backing_file", system.file("image"));
	system.attribute("loop90", "loop/offset", "4096");
	system.add_device("loop91", "7:91", 2048);
	system.attribute("loop91", "loop/backing_file", system.file("image"));
	block_topology const topology(system.paths());
	struct stat status {
	};
	REQUIRE(::stat(system.file("image").c_str(), &status) == 0);

	auto const loop = located(topology, makedev(7, 90));
	CHECK(loop.storage == topology.locate_file(status.st_dev, status.st_ino, 1).storage);
	CHECK(loop.range == byte_range{4096, 1024 * 512});
	CHECK(loop.intersects(located(topology, makedev(7, 91))));
	CHECK_FALSE(loop.intersects(topology.locate_file(status.st_dev, status.st_ino, 4096)));
}

TEST_CASE("loop devices on one deleted file intersect")
{
	made_up_system system;
	for (auto const *name : {"loop90", "loop91"}) {
		system.add_device(name, std::string("7:") + (name + 4), 1024);
		system.attribute(name, "loop/backing_file", "/nowhere/image (deleted)");
	}
	block_topology const topology(system.paths());
	CHECK(located(topology, makedev(7, 90)).intersects(located(topology, makedev(7, 91))));
}

TEST_CASE("a disk and its successor under the same number are different storage")
{
	made_up_system system;
	system.add_device("sdx", "8:160", 2048);
	system.attribute("sdx", "diskseq", "7");
	block_topology const topology(system.paths());
	auto const before = located(topology, makedev(8, 160));
	system.attribute("sdx", "diskseq", "8");
	CHECK_FALSE(before.intersects(located(topology, makedev(8, 160))));
}

TEST_CASE("block devices are listed with what holds them, empty ones left out")
{
	made_up_system system;
	system.add_device("sdx", "8:160", 2048);
	system.attribute("sdx", "holders/dm-0", "");
	system.attribute("sdx", "holders/md127", "");
	system.add_device("loop90", "7:90", 0);
	auto const devices = block_topology(system.paths()).block_devices();
	REQUIRE(devices);
	REQUIRE(devices->size() == 1);
	CHECK(devices->front().name == "sdx");
	CHECK(devices->front().device_number == makedev(8, 160));
	CHECK(devices->front().holders == std::vector<std::string>{"dm-0", "md127"});
}

TEST_CASE("mounts and swap areas are read with their escapes undone")
{
	made_up_system system;
	system.proc("self/mountinfo",
		"36 35 98:0 /mnt1 /my\\040mount rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
		"37 35 0:44 / /data rw - btrfs /dev/sdx\\0401 rw");
	system.proc("swaps", "Filename\tType\tSize\tUsed\tPriority\n/swap\\040file  file\t65532\t0\t-2");
	block_topology const topology(system.paths());
	auto const mounts = topology.mounts();
	REQUIRE(mounts);
	REQUIRE(mounts->size() == 2);
	CHECK(mounts->at(0).device_number == makedev(98, 0));
	CHECK(mounts->at(0).mount_point == "/my mount");
	CHECK(mounts->at(0).type == "ext3");
	CHECK(mounts->at(1).source == "/dev/sdx 1");
	auto const swaps = topology.swap_areas();
	REQUIRE(swaps);
	CHECK(*swaps == std::vector<std::string>{"/swap file"});
}

TEST_CASE("unreadable kernel tables are errors, absent swap is none")
{
	made_up_system system;
	block_topology const topology(system.paths());
	CHECK_FALSE(topology.mounts());
	CHECK_FALSE(topology.block_devices());
	CHECK_FALSE(topology.locate_block_device(makedev(8, 160)));
	auto const swaps = topology.swap_areas();
	REQUIRE(swaps);
	CHECK(swaps->empty());
	system.proc("self/mountinfo", "36 35 nonsense");
	CHECK_FALSE(topology.mounts());
}

TEST_CASE("this machine's own tables can be read")
{
	block_topology const topology;
	CHECK(topology.mounts());
	CHECK(topology.swap_areas());
	CHECK(topology.block_devices());
}
