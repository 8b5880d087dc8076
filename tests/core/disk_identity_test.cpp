#include "actors/core/disk_identity.hpp"

#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace ezio;
using namespace ezio::test;
namespace fs = std::filesystem;

namespace
{

/// A sysfs and a procfs made of files.
struct empty_machine {
	temporary_directory directory;
	system_paths paths{directory.file("sys"), directory.file("proc")};

	void write(std::string const &name, std::string const &text) const
	{
		fs::path const path = directory.file(name);
		fs::create_directories(path.parent_path());
		std::ofstream(path) << text << '\n';
	}
	void add(std::string const &name, std::string const &number, std::string const &disk) const
	{
		auto const home = "sys/devices/" + (disk.empty() ? "" : disk + "/") + name;
		write(home + "/dev", number);
		fs::create_directories(directory.file("sys/dev/block"));
		fs::create_directory_symlink(directory.file(home), directory.file("sys/dev/block/" + number));
	}
};

/// A disk with a partition, a loop device with one, and mounts.
struct made_up_machine : empty_machine {
	made_up_machine()
	{
		add("sda", "8:0", "");
		add("sda2", "8:2", "sda");
		write("sys/devices/sda/size", "1000");
		write("sys/devices/sda/queue/rotational", "1");
		write("sys/devices/sda/sda2/partition", "2");
		write("sys/devices/sda/sda2/size", "900");
		write("sys/devices/sda/sda2/start", "10");
		fs::create_directories(directory.file("sys/devices/sda/device"));
		add("loop3", "7:3", "");
		write("sys/devices/loop3/loop/backing_file", "/image/on/sda2");
		add("loop3p1", "259:4", "loop3");
		write("sys/devices/loop3/loop3p1/partition", "1");
		add("cciss!c0d0", "104:0", "");
		write("proc/self/mountinfo",
			"22 1 8:2 / / rw - ext4 /dev/sda2 rw\n"
			"23 22 0:41 / /srv/images\\040here rw - tmpfs tmpfs rw");
	}
};

} // namespace

TEST_CASE_METHOD(made_up_machine, "a disk and its partitions are one device")
{
	for (auto const number : {makedev(8, 0), makedev(8, 2)}) {
		auto const disk = disk_of_block_device(number, paths);
		CHECK(disk.device_number == makedev(8, 0));
		CHECK(disk.name == "/dev/sda");
		CHECK(disk.kind == disk_kind::rotational);
	}
}

TEST_CASE_METHOD(made_up_machine, "a loop device is a device by itself, wherever its file is")
{
	for (auto const number : {makedev(7, 3), makedev(259, 4)}) {
		auto const disk = disk_of_block_device(number, paths);
		CHECK(disk.device_number == makedev(7, 3));
		CHECK(disk.name == "/dev/loop3");
		CHECK(disk.kind == disk_kind::unknown);
	}
}

TEST_CASE_METHOD(made_up_machine, "a device with a slash in its name is called as in /dev")
{
	CHECK(disk_of_block_device(makedev(104, 0), paths).name == "/dev/cciss/c0d0");
}

TEST_CASE_METHOD(made_up_machine, "an image file belongs to the disk below its file system")
{
	CHECK(disk_of_file(makedev(8, 2), paths).device_number == makedev(8, 0));
	CHECK(disk_of_file(makedev(8, 2), paths).kind == disk_kind::rotational);
}

TEST_CASE_METHOD(made_up_machine, "a file system without a block device is a device by itself")
{
	auto const disk = disk_of_file(makedev(0, 41), paths);
	CHECK(disk.device_number == makedev(0, 41));
	CHECK(disk.name == "/srv/images here");
	CHECK(disk_of_file(makedev(0, 42), paths).name == "0:42");
}

TEST_CASE_METHOD(made_up_machine, "a device that sysfs does not know stands for itself")
{
	auto const disk = disk_of_block_device(makedev(9, 9), paths);
	CHECK(disk.device_number == makedev(9, 9));
	CHECK(disk.name == "9:9");
	CHECK(disk.kind == disk_kind::unknown);
}

TEST_CASE_METHOD(made_up_machine, "a file or partition on a rotating disk rotates")
{
	CHECK(is_rotating(makedev(8, 0), paths));
	CHECK(is_rotating(makedev(8, 2), paths));
	CHECK_FALSE(is_rotating(makedev(0, 41), paths));
	CHECK_FALSE(is_rotating(makedev(9, 9), paths));
}

TEST_CASE_METHOD(made_up_machine, "what a hypervisor says of a virtual disk's rotation means nothing")
{
	add("vda", "254:0", "");
	add("vda1", "254:1", "vda");
	write("sys/devices/vda/size", "1000");
	write("sys/devices/vda/queue/rotational", "1");
	fs::create_directories(directory.file("sys/devices/vda/device"));
	write("sys/devices/vda/vda1/partition", "1");
	write("sys/devices/vda/vda1/size", "900");
	write("sys/devices/vda/vda1/start", "10");
	CHECK_FALSE(is_rotating(makedev(254, 0), paths));
	CHECK_FALSE(is_rotating(makedev(254, 1), paths));
}

TEST_CASE_METHOD(made_up_machine, "what is built on disks rotates if one of them does")
{
	add("nvme0n1", "259:0", "");
	write("sys/devices/nvme0n1/size", "1000");
	write("sys/devices/nvme0n1/queue/rotational", "0");
	fs::create_directories(directory.file("sys/devices/nvme0n1/device"));
	add("dm-0", "253:0", "");
	write("sys/devices/dm-0/size", "2000");
	write("sys/devices/dm-0/queue/rotational", "1"); // as some kernels say of any
	auto const slaves = directory.file("sys/devices/dm-0/slaves");
	fs::create_directories(slaves);
	fs::create_directory_symlink(directory.file("sys/devices/nvme0n1"), slaves + "/nvme0n1");
	CHECK_FALSE(is_rotating(makedev(253, 0), paths));
	fs::create_directory_symlink(directory.file("sys/devices/sda/sda2"), slaves + "/sda2");
	CHECK(is_rotating(makedev(253, 0), paths));
}

// Without devices whose numbers a real disk may have.
TEST_CASE_METHOD(empty_machine, "a loop device rotates if the disk of its file does")
{
	auto const image = directory.file("image");
	std::ofstream(image) << "bytes";
	struct stat status = {};
	REQUIRE(::stat(image.c_str(), &status) == 0);
	constexpr unsigned loop_minor = 200'000;
	add("loop5", "7:200000", "");
	write("sys/devices/loop5/size", "8");
	write("sys/devices/loop5/queue/rotational", "1");
	write("sys/devices/loop5/loop/backing_file", image);
	// On no disk of this machine, nor with a file: what the kernel says of the loop device itself.
	CHECK(is_rotating(makedev(7, loop_minor), paths));
	write("sys/devices/loop5/queue/rotational", "0");
	CHECK_FALSE(is_rotating(makedev(7, loop_minor), paths));
	write("sys/devices/loop5/loop/backing_file", directory.file("no image"));
	CHECK_FALSE(is_rotating(makedev(7, loop_minor), paths));
	write("sys/devices/loop5/queue/rotational", "1");
	CHECK(is_rotating(makedev(7, loop_minor), paths));
	write("sys/devices/loop5/loop/backing_file", image);
	auto const number = std::to_string(major(status.st_dev)) + ':' + std::to_string(minor(status.st_dev));
	add("sdb1", number, "");
	write("sys/devices/sdb1/size", "1000");
	write("sys/devices/sdb1/queue/rotational", "0");
	CHECK_FALSE(is_rotating(makedev(7, loop_minor), paths));
	write("sys/devices/sdb1/queue/rotational", "1");
	CHECK(is_rotating(makedev(7, loop_minor), paths));
}

TEST_CASE_METHOD(made_up_machine, "devices that stand on each other in a circle rotate nowhere")
{
	for (auto const *name : {"dm-1", "dm-2"}) {
		add(name, name == std::string("dm-1") ? "253:1" : "253:2", "");
		write(std::string("sys/devices/") + name + "/size", "8");
		fs::create_directories(directory.file(std::string("sys/devices/") + name + "/slaves"));
	}
	fs::create_directory_symlink(
		directory.file("sys/devices/dm-2"), directory.file("sys/devices/dm-1/slaves/dm-2"));
	fs::create_directory_symlink(
		directory.file("sys/devices/dm-1"), directory.file("sys/devices/dm-2/slaves/dm-1"));
	CHECK_FALSE(is_rotating(makedev(253, 1), paths));
}
