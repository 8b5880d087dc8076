#include "actors/core/device_identity.hpp"

#include "actors/core/error.hpp"
#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>

using namespace ezio;

namespace
{

struct folder {
	test::temporary_directory room;
	std::filesystem::path path = room.path();

	void write(std::string const &name, std::string const &text) const
	{
		std::filesystem::create_directories((path / name).parent_path());
		std::ofstream(path / name) << text;
	}
};

} // namespace

TEST_CASE("a file is told from another one by its inode and from itself grown by its size")
{
	folder const room;
	room.write("a", "1234");
	room.write("b", "1234");
	auto const a = identify_device((room.path / "a").string());
	auto const b = identify_device((room.path / "b").string());
	REQUIRE(a);
	REQUIRE(b);
	CHECK_FALSE(a->is_block_device);
	CHECK(a->size_bytes == 4);
	CHECK(difference(*a, *identify_device((room.path / "a").string())).empty());
	CHECK_FALSE(difference(*a, *b).empty());
	room.write("a", "12345");
	CHECK(difference(*a, *identify_device((room.path / "a").string())) == "its size is 5 bytes instead of 4");
	auto const gone = identify_device((room.path / "c").string());
	REQUIRE_FALSE(gone);
	CHECK(gone.failure().operation == "statx");
	CHECK(gone.failure().os_errno == ENOENT);
}

TEST_CASE("differences are said in one clause")
{
	device_identity const disk{2048, true, "wwid naa.1"};
	CHECK(difference(disk, disk).empty());
	CHECK(difference(disk, {2048, true, "wwid naa.2"}) == "it is \"wwid naa.2\" instead of \"wwid naa.1\"");
	CHECK(difference(disk, {2048, false, "wwid naa.1"}) == "it was a block device");
	CHECK(difference({1, false, ""}, {1, true, ""}) == "it was a file");
}

TEST_CASE("a partition has the name of its disk and its start; a disk without a name has none")
{
	folder const sys;
	auto const image = (sys.path / "image").string();
	test::make_sparse_file(image, 1 << 20);
	std::string why;
	auto const loop = test::loop_device::make(image, why);
	if (loop == nullptr) {
		WARN("skipped: " << why);
		return;
	}
	struct stat status {
	};
	REQUIRE(::stat(loop->path().c_str(), &status) == 0);
	auto const number = std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));

	// The kernel's own view of it first.
	auto const real = identify_device(loop->path());
	REQUIRE(real);
	CHECK(real->is_block_device);
	CHECK(real->size_bytes == 1 << 20);
	CHECK(real->name == "backing_file " + image);

	sys.write("devices/disk/part/partition", "1\n");
	sys.write("devices/disk/part/start", "2048\n");
	sys.write("devices/disk/part/size", "16\n");
	std::filesystem::create_directories(sys.path / "dev/block");
	std::filesystem::create_directory_symlink(
		sys.path / "devices/disk/part", sys.path / "dev/block" / number);
	system_paths const paths{sys.path.string(), "/proc"};
	auto const nameless = identify_device(loop->path(), paths);
	REQUIRE(nameless);
	CHECK(nameless->size_bytes == 16 * 512);
	CHECK(nameless->name == "start 2048");
	sys.write("devices/disk/device/serial", "  S123  \n");
	CHECK(identify_device(loop->path(), paths)->name == "serial S123, start 2048");
	sys.write("devices/disk/wwid", "naa.5\n");
	CHECK(identify_device(loop->path(), paths)->name == "wwid naa.5, start 2048");
}
