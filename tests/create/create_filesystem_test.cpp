#include "actors/bt/torrent_file.hpp"
#include "ctl/create/child_process.hpp"
#include "ctl/create/create.hpp"
#include "ctl/create/inspect.hpp"
#include "ctl/create/local_files.hpp"
#include "ctl/create/partclone_files.hpp"
#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <sys/mount.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace ezio;

namespace
{

std::atomic<bool> const not_interrupted{false};
constexpr std::uint64_t image_bytes = std::uint64_t{400} << 20;

struct filesystem_case {
	std::string name;
	std::vector<std::string> make;  ///< the image's path is appended
	std::vector<std::string> check; ///< likewise
};

std::vector<filesystem_case> const &cases()
{
	static std::vector<filesystem_case> const all{
		{"ext4", {"mkfs.ext4", "-q", "-F", "-b", "4096"}, {"e2fsck", "-fn"}},
		{"xfs", {"mkfs.xfs", "-q", "-f"}, {"xfs_repair", "-n"}},
		{"btrfs", {"mkfs.btrfs", "-q", "-f"}, {"btrfs", "check", "--readonly"}},
		{"vfat", {"mkfs.vfat"}, {"fsck.vfat", "-n"}},
		{"ntfs", {"mkntfs", "-q", "-F", "-f"}, {"ntfsfix", "-n"}},
	};
	return all;
}

/// Exit status, or -1 if the program is not installed.
int run(std::vector<std::string> command, std::vector<std::string> const &more = {})
{
	command.front() = find_program(command.front());
	if (command.front().empty())
		return -1;
	command.insert(command.end(), more.begin(), more.end());
	auto const outcome = run_child(command, not_interrupted);
	REQUIRE(outcome);
	if (outcome->exit_status != 0)
		UNSCOPED_INFO(command.front() << ": " << outcome->output);
	return outcome->exit_status;
}

/// A filesystem on a loop device, mounted as long as the object lives.
class mounted
{
public:
	/// Null with the reason in @p why where this machine cannot.
	static std::unique_ptr<mounted> make(std::string const &image, std::string const &type,
		std::string const &mount_point, unsigned long flags, std::string &why)
	{
		auto loop = test::loop_device::make(image, why);
		if (!loop)
			return nullptr;
		std::filesystem::create_directories(mount_point);
		if (::mount(loop->path().c_str(), mount_point.c_str(), type.c_str(), flags, nullptr) != 0) {
			why = "mount of " + type + ": " + std::strerror(errno);
			return nullptr;
		}
		return std::unique_ptr<mounted>(new mounted(std::move(loop), mount_point));
	}
	~mounted() { CHECK(::umount(m_mount_point.c_str()) == 0); }
	mounted(mounted const &) = delete;
	mounted &operator=(mounted const &) = delete;

	std::string const &device() const { return m_loop->path(); }
	std::string const &mount_point() const { return m_mount_point; }

private:
	mounted(std::unique_ptr<test::loop_device> loop, std::string mount_point)
		: m_loop(std::move(loop)), m_mount_point(std::move(mount_point))
	{
	}
	std::unique_ptr<test::loop_device> m_loop;
	std::string m_mount_point;
};

/// Files of many sizes, some removed again so that free space is not one piece.
void fill(std::string const &directory)
{
	std::uint32_t state = 99;
	for (int i = 0; i < 200; ++i) {
		auto const folder = directory + "/d" + std::to_string(i % 7);
		std::filesystem::create_directories(folder);
		std::ofstream file(folder + "/f" + std::to_string(i), std::ios::binary);
		std::string content(static_cast<std::size_t>(i) * static_cast<std::size_t>(i) * 7 + 1, '\0');
		for (auto &c : content) {
			state = state * 1664525U + 1013904223U;
			c = static_cast<char>(state >> 24);
		}
		file << content;
		REQUIRE(file.good());
	}
	for (int i = 0; i < 200; i += 3)
		std::filesystem::remove(directory + "/d" + std::to_string(i % 7) + "/f" + std::to_string(i));
}

/// Makes and, where it can be mounted, fills a filesystem. False if its tools are missing.
bool make_filesystem(filesystem_case const &c, std::string const &image, std::string const &mount_point)
{
	test::make_sparse_file(image, image_bytes);
	auto const made = run(c.make, {image});
	if (made == -1) {
		WARN("skipped: no " << c.make.front());
		return false;
	}
	REQUIRE(made == 0);
	if (find_program("partclone." + c.name).empty()) {
		WARN("skipped: no partclone." << c.name);
		return false;
	}
	std::string why;
	if (auto const mount = mounted::make(image, c.name, mount_point, 0, why))
		fill(mount->mount_point());
	else
		WARN("an empty " << c.name << " only: " << why);
	return true;
}

/// What a target gets: the covered bytes on a device of zeros.
void restore(std::string const &image, std::vector<byte_range> const &extents, std::string const &target)
{
	test::make_sparse_file(target, image_bytes);
	std::ifstream in(image, std::ios::binary);
	std::fstream out(target, std::ios::binary | std::ios::in | std::ios::out);
	for (auto const &extent : extents) {
		std::vector<char> bytes(extent.length_bytes);
		in.seekg(static_cast<std::streamoff>(extent.offset_bytes));
		in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
		out.seekp(static_cast<std::streamoff>(extent.offset_bytes));
		out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
	}
	out.flush();
	REQUIRE(in.good());
	REQUIRE(out.good());
}

void compare_files(filesystem_case const &c, std::string const &image, std::string const &restored,
	test::temporary_directory const &scratch)
{
	std::string why;
	// Two copies of one btrfs or xfs cannot be mounted at once: their identity is the same.
	{
		auto const mount = mounted::make(image, c.name, scratch.file("a"), MS_RDONLY, why);
		if (!mount) {
			WARN("files of " << c.name << " not compared: " << why);
			return;
		}
		std::filesystem::copy(
			mount->mount_point(), scratch.file("copy"), std::filesystem::copy_options::recursive);
	}
	auto const mount = mounted::make(restored, c.name, scratch.file("b"), MS_RDONLY, why);
	INFO(why);
	REQUIRE(mount);
	CHECK(run({"diff", "-r", scratch.file("copy"), mount->mount_point()}) == 0);
}

create_options options_for(std::string const &source, std::string const &output)
{
	create_options options;
	options.source = source;
	options.output = output;
	options.created_unix = 1;
	return options;
}

} // namespace

TEST_CASE("the covered extents of a filesystem, on a device of zeros, are that filesystem")
{
	for (auto const &c : cases()) {
		INFO(c.name);
		test::temporary_directory const scratch;
		auto const image = scratch.file("image");
		if (!make_filesystem(c, image, scratch.file("mnt")))
			continue;
		auto const output = scratch.file("out.torrent");
		auto const report = create_torrent(options_for(image, output), {}, not_interrupted);
		if (!report)
			FAIL(to_string(report.failure()));
		CHECK(report->filesystem == c.name);
		CHECK(report->covered_bytes < image_bytes);
		auto const inspected = inspect_torrent_file(output);
		REQUIRE(inspected);
		REQUIRE(inspected->is_usable);
		CHECK(inspected->covered_bytes == report->covered_bytes);
		auto const restored = scratch.file("restored");
		restore(image, inspected->extents, restored);
		CHECK(run(c.check, {restored}) == 0);
		compare_files(c, image, restored, scratch);
	}
}

TEST_CASE("our torrent of an ext4 filesystem is the one of partclone's own torrent.info")
{
	test::temporary_directory const scratch;
	auto const image = scratch.file("image");
	if (!make_filesystem(cases().front(), image, scratch.file("mnt")))
		return;
	std::filesystem::create_directory(scratch.file("bt"));
	REQUIRE(run({"partclone.ext4", "-c", "-q", "-s", image, "-o", scratch.file("clone"), "-L",
				scratch.file("log")}) == 0);
	REQUIRE(run({"partclone.restore", "-t", "-q", "-s", scratch.file("clone"), "-o", scratch.file("bt"), "-L",
				scratch.file("log2")}) == 0);
	auto from_info = options_for(scratch.file("bt/torrent.info"), scratch.file("info.torrent"));
	from_info.name = "sda1";
	auto const theirs = create_torrent(from_info, {}, not_interrupted);
	if (!theirs)
		FAIL(to_string(theirs.failure()));
	auto from_image = options_for(image, scratch.file("image.torrent"));
	from_image.name = "sda1";
	from_image.piece_bytes = partclone_piece_bytes;
	auto const ours = create_torrent(from_image, {}, not_interrupted);
	if (!ours)
		FAIL(to_string(ours.failure()));
	CHECK(ours->pieces > 1);
	CHECK(ours->covered_bytes == theirs->covered_bytes);
	CHECK(ours->device_bytes == theirs->device_bytes);
	CHECK(ours->info_hash == theirs->info_hash);
}

TEST_CASE("a device that is mounted read-write is refused unless allowed, and one mounted read-only is not")
{
	test::temporary_directory const scratch;
	auto const image = scratch.file("image");
	if (!make_filesystem(cases().front(), image, scratch.file("mnt")))
		return;
	std::string why;
	{
		auto const mount = mounted::make(image, "ext4", scratch.file("mnt"), 0, why);
		if (!mount) {
			WARN("skipped: " << why);
			return;
		}
		for (auto const &source : {mount->device(), image}) {
			INFO(source);
			auto options = options_for(source, scratch.file("out.torrent"));
			auto const refused = create_torrent(options, {}, not_interrupted);
			REQUIRE_FALSE(refused);
			CHECK(refused.failure().code == errc::target_refused);
			CHECK(refused.failure().check == "mounted");
			CHECK_THAT(refused.failure().message, Catch::Contains(scratch.file("mnt")));
			CHECK_FALSE(std::filesystem::exists(options.output));
		}
		auto options = options_for(mount->device(), scratch.file("allowed.torrent"));
		options.allow_mounted = true;
		auto const allowed = create_torrent(options, {}, not_interrupted);
		if (!allowed)
			FAIL(to_string(allowed.failure()));
	}
	auto const mount = mounted::make(image, "ext4", scratch.file("mnt"), MS_RDONLY, why);
	REQUIRE(mount);
	auto const report =
		create_torrent(options_for(mount->device(), scratch.file("ro.torrent")), {}, not_interrupted);
	if (!report)
		FAIL(to_string(report.failure()));
	CHECK(report->filesystem == "ext4");
}

TEST_CASE("what partclone says when it refuses a source is passed on")
{
	test::temporary_directory const scratch;
	auto const image = scratch.file("image");
	if (!make_filesystem(cases().front(), image, scratch.file("mnt")))
		return;
	if (find_program("partclone.ntfs").empty()) {
		WARN("skipped: no partclone.ntfs");
		return;
	}
	auto options = options_for(image, scratch.file("out.torrent"));
	options.filesystem = "ntfs";
	auto const report = create_torrent(options, {}, not_interrupted);
	REQUIRE_FALSE(report);
	CHECK(report.failure().code == errc::invalid_argument);
	CHECK_THAT(report.failure().message, Catch::Contains("partclone.ntfs refuses " + image + ": "));
	CHECK_THAT(report.failure().message, !Catch::Contains("\n") && Catch::Contains("NTFS"));
	CHECK_FALSE(std::filesystem::exists(options.output));
}
