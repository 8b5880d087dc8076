#include "actors/core/target_check.hpp"

#include "tests/support/kernel_state.hpp"
#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

using namespace ezio;
using namespace ezio::test;
namespace fs = std::filesystem;

namespace
{

constexpr std::uint64_t image_bytes = 16 * 1024 * 1024;

extent_map make_extents(std::vector<byte_range> const &ranges)
{
	std::vector<torrent_file_entry> files;
	for (auto const &range : ranges) {
		std::ostringstream name;
		name << std::hex << range.offset_bytes;
		files.push_back({name.str(), range.length_bytes, false});
	}
	auto extents = extent_map::build(files);
	if (!extents)
		FAIL(to_string(extents.failure()));
	return std::move(extents).value();
}

extent_map const &first_mebibyte()
{
	static auto const extents = make_extents({{0, 1024 * 1024}});
	return extents;
}

target_request write_to(std::string const &path, std::set<std::string> allowed = {})
{
	return {path, device_access::read_write, std::move(allowed)};
}

target_request seed_from(std::string const &path, std::set<std::string> allowed = {})
{
	return {path, device_access::read_only, std::move(allowed)};
}

/// An image file in memory, and a loop device over it where that is possible.
struct image {
	explicit image(std::uint64_t size_bytes = image_bytes) { make_sparse_file(path(), size_bytes); }
	std::string path() const { return directory.file("image"); }
	bool attach(loop_options const &options = {})
	{
		std::string why;
		loop = loop_device::make(path(), why, options);
		if (!loop)
			WARN("skipped: " << why);
		return loop != nullptr;
	}

	temporary_directory directory;
	std::unique_ptr<loop_device> loop;
};

std::shared_ptr<device_claim> require_claim(device_registry &registry, target_request const &request,
	std::string const &info_hash = "aa", extent_map const &extents = first_mebibyte())
{
	auto claim = registry.claim(request, info_hash, extents);
	if (!claim)
		FAIL(to_string(claim.failure()));
	return std::move(claim).value();
}

error require_refusal(device_registry &registry, target_request const &request, std::string const &check,
	std::string const &info_hash = "aa", extent_map const &extents = first_mebibyte())
{
	auto const claim = registry.claim(request, info_hash, extents);
	if (claim)
		FAIL("claimed instead of refused by " << check);
	INFO(to_string(claim.failure()));
	CHECK(claim.failure().code == errc::target_refused);
	CHECK(claim.failure().check == check);
	CHECK(claim.failure().device == request.path);
	CHECK(claim.failure().message.find('\n') == std::string::npos);
	return claim.failure();
}

void write_one(device_claim &claim)
{
	auto handle = claim.open_handle();
	if (!handle)
		FAIL(to_string(handle.failure()));
	std::vector<std::byte> bytes(4096, std::byte{1});
	std::vector<write_buffer> const buffers{{bytes.data(), bytes.size()}};
	REQUIRE(handle.value()->write_at(buffers, 0));
	REQUIRE(handle.value()->flush());
}

bool can_open_exclusively(std::string const &path)
{
	return static_cast<bool>(unique_fd(::open(path.c_str(), O_RDWR | O_EXCL | O_CLOEXEC)));
}

/// Two partitions of 4 MiB each, at 1 MiB and 5 MiB.
std::vector<std::string> add_partitions(loop_device &loop)
{
	constexpr std::uint64_t mebibyte = 1024 * 1024;
	return {loop.add_partition(1, mebibyte, 4 * mebibyte), loop.add_partition(2, 5 * mebibyte, 4 * mebibyte)};
}

} // namespace

TEST_CASE("each check has a name, a meaning, and can be allowed only where that makes sense")
{
	for (auto const &check : target_checks()) {
		CAPTURE(check.name);
		CHECK_FALSE(check.meaning.empty());
		CHECK(static_cast<bool>(validate_allowed_checks({check.name})) == check.can_be_allowed);
	}
	CHECK(validate_allowed_checks({"no-such-check"}).failure().code == errc::invalid_argument);
	image const target;
	auto const registry = make_device_registry();
	auto const claim = registry->claim(write_to(target.path(), {"swap"}), "aa", first_mebibyte());
	REQUIRE_FALSE(claim);
	CHECK(claim.failure().code == errc::invalid_argument);
}

TEST_CASE("a written device is claimed exclusively until its last claim is gone")
{
	image target;
	if (!target.attach())
		return;
	auto const registry = make_device_registry();
	auto claim = require_claim(*registry, write_to(target.loop->path()));
	CHECK(claim->path() == target.loop->path());
	CHECK(claim->access() == device_access::read_write);
	CHECK(claim->geometry().size_bytes == image_bytes);
	CHECK(claim->geometry().is_direct);
	auto const one = claim->open_handle();
	auto const two = claim->open_handle();
	REQUIRE(one);
	REQUIRE(two);
	write_one(*claim);
	CHECK_FALSE(can_open_exclusively(target.loop->path()));
	registry->release("aa");
	CHECK_FALSE(can_open_exclusively(target.loop->path()));
	claim.reset();
	CHECK(can_open_exclusively(target.loop->path()));
}

TEST_CASE("torrents on disjoint extents of one device share a claim, overlapping ones are refused")
{
	image target;
	bool const is_loop = GENERATE(false, true);
	CAPTURE(is_loop);
	if (is_loop && !target.attach())
		return;
	auto const path = is_loop ? target.loop->path() : target.path();
	auto const registry = make_device_registry();
	auto const low = make_extents({{0, 65536}, {262144, 65536}});
	auto const between = make_extents({{65536, 65536}});
	auto const across = make_extents({{131072, 65536}, {262144 + 61440, 8192}});
	auto const first = require_claim(*registry, write_to(path), "aa", low);
	auto const second = require_claim(*registry, write_to(path), "bb", between);
	CHECK(first == second);
	auto const e = require_refusal(*registry, write_to(path), "overlap", "cc", across);
	CHECK(e.message.find("torrent aa") != std::string::npos);
	CHECK(e.message.find(std::to_string(262144 + 61440)) != std::string::npos);
	require_refusal(*registry, seed_from(path), "overlap", "cc", across);
	registry->release("aa");
	require_claim(*registry, write_to(path), "cc", across);
}

TEST_CASE("readers of the same bytes do not disturb each other")
{
	image const source;
	auto const one = make_device_registry();
	auto const other = make_device_registry(); // as another daemon: locks belong to descriptors
	auto const first = require_claim(*one, seed_from(source.path()), "aa");
	auto const second = require_claim(*one, seed_from(source.path()), "bb");
	CHECK(first == second);
	auto const third = require_claim(*other, seed_from(source.path()), "aa");
	CHECK(third->access() == device_access::read_only);
	require_refusal(*other, write_to(source.path()), "overlap");
}

TEST_CASE("an image that another daemon writes is not seeded, one that is seeded is not written")
{
	image const target;
	auto const one = make_device_registry();
	auto const other = make_device_registry();
	{
		auto const writer = require_claim(*one, write_to(target.path()));
		require_refusal(*other, seed_from(target.path()), "excl-busy");
		require_refusal(*other, write_to(target.path()), "excl-busy");
		auto const forced = require_claim(*other, seed_from(target.path(), {"excl-busy"}));
		CHECK(forced->geometry().size_bytes == image_bytes);
	}
	one->release("aa");
	other->release("aa");
	auto const reader = require_claim(*other, seed_from(target.path()));
	require_refusal(*one, write_to(target.path()), "excl-busy");
}

TEST_CASE("one daemon reads and writes disjoint parts of an image at once")
{
	image const target;
	auto const registry = make_device_registry();
	auto const other = make_device_registry();
	auto const high = make_extents({{2 * 1024 * 1024, 4096}});
	auto const reader = require_claim(*registry, seed_from(target.path()), "aa");
	auto const writer = require_claim(*registry, write_to(target.path()), "bb", high);
	write_one(*writer);
	require_refusal(*other, seed_from(target.path()), "excl-busy");
	auto const second_reader = require_claim(*registry, seed_from(target.path()), "cc");
	CHECK(second_reader->access() == device_access::read_only);
}

TEST_CASE("a device that another program has open exclusively is refused")
{
	image target;
	if (!target.attach())
		return;
	unique_fd const other(::open(target.loop->path().c_str(), O_RDWR | O_EXCL | O_CLOEXEC));
	REQUIRE(other);
	auto const registry = make_device_registry();
	require_refusal(*registry, write_to(target.loop->path()), "excl-busy");
	require_claim(*registry, seed_from(target.loop->path()));
	registry->release("aa");
	write_one(*require_claim(*registry, write_to(target.loop->path(), {"excl-busy"})));
}

TEST_CASE("what is missing is refused, or made as an image when that is allowed")
{
	temporary_directory const directory;
	auto const path = directory.file("new.img");
	auto const registry = make_device_registry();
	auto const allowed = GENERATE(as<std::string>(), "missing", "too-small");
	auto const e = require_refusal(*registry, write_to(path), "missing");
	CHECK(e.message.find("--allow missing") != std::string::npos);
	CHECK_FALSE(fs::exists(path));
	require_refusal(*registry, seed_from(path, {allowed}), "missing");

	auto const claim = require_claim(*registry, write_to(path, {allowed}));
	CHECK(claim->geometry().size_bytes == first_mebibyte().highest_end_bytes());
	CHECK(fs::file_size(path) == first_mebibyte().highest_end_bytes());
	write_one(*claim);
	require_refusal(*registry, write_to("/dev/ezio-no-such-device", {allowed}), "missing");
	CHECK_FALSE(fs::exists("/dev/ezio-no-such-device"));
}

TEST_CASE("what is too small is refused with both sizes; only files are extended")
{
	image target(8192);
	auto const registry = make_device_registry();
	auto const e = require_refusal(*registry, write_to(target.path()), "too-small");
	CHECK(e.message.find("1048576") != std::string::npos);
	CHECK(e.message.find("8192") != std::string::npos);
	CHECK(fs::file_size(target.path()) == 8192);
	require_refusal(*registry, seed_from(target.path(), {"too-small"}), "too-small");
	{
		auto const small = make_extents({{0, 8192}});
		auto const kept = require_claim(*registry, write_to(target.path()), "aa", small);
		auto const beyond = make_extents({{1024 * 1024, 8192}});
		auto const grown = require_claim(*registry, write_to(target.path(), {"too-small"}), "bb", beyond);
		CHECK(grown->geometry().size_bytes == 1024 * 1024 + 8192);
		CHECK(fs::file_size(target.path()) == 1024 * 1024 + 8192);
		registry->release("aa");
		registry->release("bb");
	}
	image device(65536);
	if (!device.attach())
		return;
	require_refusal(*registry, write_to(device.loop->path(), {"too-small"}), "too-small");
}

TEST_CASE("what is neither device nor file is refused unopened")
{
	temporary_directory const directory;
	auto const pipe = directory.file("pipe");
	REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
	auto const registry = make_device_registry();
	for (auto const &path : {directory.path(), pipe, std::string("/dev/null")}) {
		require_refusal(*registry, write_to(path), "not-a-target");
		require_refusal(*registry, seed_from(path), "not-a-target");
	}
}

TEST_CASE("a write-protected device is refused for writing and can be seeded")
{
	image target;
	if (!target.attach({.is_read_only = true}))
		return;
	auto const registry = make_device_registry();
	require_refusal(*registry, write_to(target.loop->path()), "read-only");
	auto const claim = require_claim(*registry, seed_from(target.loop->path()));
	CHECK(claim->open_handle());
}

TEST_CASE("extents off the sector grid of a device are refused")
{
	image target;
	if (!target.attach({.sector_bytes = 4096}))
		return;
	auto const registry = make_device_registry();
	auto const off = make_extents({{4096, 4096}, {16384 + 512, 4096}});
	auto const odd = make_extents({{4096, 4096 + 512}});
	auto const e = require_refusal(*registry, write_to(target.loop->path()), "misaligned", "aa", off);
	CHECK(e.message.find("16896") != std::string::npos);
	require_refusal(*registry, write_to(target.loop->path()), "misaligned", "aa", odd);
	require_claim(*registry, write_to(target.loop->path(), {"misaligned"}), "aa", off);
	registry->release("aa");
	require_claim(*registry, write_to(target.loop->path()), "aa", make_extents({{4096, 8192}}));
}

TEST_CASE("a mounted device is refused, so is its disk, not its neighbour")
{
	image target;
	if (!target.attach({.has_partitions = true}))
		return;
	auto const partitions = add_partitions(*target.loop);
	auto const &mounted = partitions[0];
	if (!run_program("mkfs.ext4 -q -F " + mounted)) {
		WARN("skipped: no mkfs.ext4");
		return;
	}
	auto const directory = target.directory.file("mount point");
	fs::create_directory(directory);
	std::string why;
	auto const mount = scoped_mount::make(mounted, directory, "ext4", "", why);
	if (!mount) {
		WARN("skipped: " << why);
		return;
	}
	auto const registry = make_device_registry();
	auto const e = require_refusal(*registry, write_to(mounted), "mounted");
	CHECK(e.message.find(directory) != std::string::npos);
	CHECK(e.message.find("--allow mounted") != std::string::npos);
	require_claim(*registry, seed_from(mounted));
	registry->release("aa");
	// The mount's own O_EXCL is what was allowed with it.
	require_claim(*registry, write_to(mounted, {"mounted"}));
	registry->release("aa");
	require_refusal(*registry, write_to(target.loop->path()), "mounted");
	write_one(*require_claim(*registry, write_to(partitions[1])));
}

TEST_CASE("partitions and their disk are one storage for torrents of this daemon")
{
	image target;
	if (!target.attach({.has_partitions = true}))
		return;
	auto const partitions = add_partitions(*target.loop);
	auto const registry = make_device_registry();
	auto const first = require_claim(*registry, write_to(partitions[0]), "aa");
	auto const second = require_claim(*registry, write_to(partitions[1]), "bb");
	CHECK(first != second);
	// The disk holds the first partition's start at 1 MiB.
	require_refusal(
		*registry, write_to(target.loop->path()), "overlap", "cc", make_extents({{1024 * 1024, 4096}}));
	require_refusal(
		*registry, seed_from(target.loop->path()), "overlap", "cc", make_extents({{1024 * 1024, 4096}}));
	auto const reader =
		require_claim(*registry, seed_from(target.loop->path()), "cc", make_extents({{0, 4096}}));
	CHECK(reader->access() == device_access::read_only);
}

TEST_CASE("a device or file in use as swap is refused")
{
	image target;
	if (!target.attach())
		return;
	if (!run_program("mkswap " + target.loop->path())) {
		WARN("skipped: no mkswap");
		return;
	}
	std::string why;
	auto const swap = scoped_swap::make(target.loop->path(), why);
	if (!swap) {
		WARN("skipped: " << why);
		return;
	}
	auto const registry = make_device_registry();
	require_refusal(*registry, write_to(target.loop->path()), "swap");
	require_refusal(*registry, write_to(target.path()), "swap");
}

TEST_CASE("an image attached to a loop device is held by it")
{
	image target;
	if (!target.attach())
		return;
	auto const registry = make_device_registry();
	auto const e = require_refusal(*registry, write_to(target.path()), "held");
	CHECK(e.message.find(target.loop->path().substr(5)) != std::string::npos);
	{
		auto const claim = require_claim(*registry, write_to(target.path(), {"held"}));
		require_refusal(*registry, write_to(target.loop->path()), "overlap", "bb");
		registry->release("aa");
	}
	std::string why;
	auto const second = loop_device::make(target.path(), why);
	REQUIRE(second);
	require_refusal(*registry, write_to(target.loop->path()), "held");
	auto const claim = require_claim(*registry, write_to(target.loop->path(), {"held"}));
	require_refusal(*registry, write_to(second->path(), {"held"}), "overlap", "bb");
}

TEST_CASE("a device that md, LVM or dm is built on is held")
{
	// The kernel's answer is made up, around the real device: not every machine can build a dm device.
	image target;
	if (!target.attach())
		return;
	struct stat status {
	};
	REQUIRE(::stat(target.loop->path().c_str(), &status) == 0);
	auto const number = std::to_string(major(status.st_rdev)) + ':' + std::to_string(minor(status.st_rdev));
	auto const name = fs::path(target.loop->path()).filename().string();
	auto const home = fs::path(target.directory.file("sys")) / "class/block" / name;
	fs::create_directories(home / "holders" / "dm-3");
	fs::create_directories(target.directory.file("sys/dev/block"));
	fs::create_directory_symlink(home, target.directory.file("sys/dev/block/" + number));
	std::ofstream(home / "dev") << number << '\n';
	std::ofstream(home / "size") << image_bytes / 512 << '\n';

	auto const registry = make_device_registry({.paths = {.sys = target.directory.file("sys")}});
	auto const e = require_refusal(*registry, write_to(target.loop->path()), "held");
	CHECK(e.message.find("dm-3") != std::string::npos);
	require_claim(*registry, write_to(target.loop->path(), {"held"}));
}

TEST_CASE("a refusal leaves no trace: the target can be claimed afterwards")
{
	image const target(8192);
	auto const registry = make_device_registry();
	require_refusal(*registry, write_to(target.path()), "too-small", "aa");
	auto const other = make_device_registry();
	require_claim(*other, write_to(target.path()), "bb", make_extents({{0, 4096}}));
}

namespace
{

/// A claim of an image whose device hangs: it looks for mounts in a pipe that nobody has written yet.
class hanging_claim
{
public:
	hanging_claim() : m_registry(make_device_registry({.paths = {.proc = m_directory.file("proc")}}))
	{
		fs::create_directories(m_directory.file("proc/self"));
		REQUIRE(::mkfifo(mounts().c_str(), 0600) == 0);
		make_sparse_file(path(), image_bytes);
		m_claim = std::async(std::launch::async,
			[this] { return m_registry->claim(write_to(path()), "hangs", first_mebibyte()); });
		// Succeeds when the claim waits for what is written.
		m_writer = unique_fd(::open(mounts().c_str(), O_WRONLY | O_CLOEXEC));
		REQUIRE(m_writer);
	}
	~hanging_claim() { static_cast<void>(go_on()); }

	std::string path() const { return m_directory.file("image"); }
	device_registry &registry() { return *m_registry; }
	result<std::shared_ptr<device_claim>> go_on()
	{
		// Later looks find a file without a line.
		fs::remove(mounts());
		std::ofstream{mounts()};
		m_writer = unique_fd();
		return m_claim.valid() ? m_claim.get()
							   : result<std::shared_ptr<device_claim>>(make_error(errc::internal, "gone"));
	}
	bool is_over() { return m_claim.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }

private:
	std::string mounts() const { return m_directory.file("proc/self/mountinfo"); }

	temporary_directory m_directory;
	std::unique_ptr<device_registry> m_registry;
	std::future<result<std::shared_ptr<device_claim>>> m_claim;
	unique_fd m_writer;
};

} // namespace

TEST_CASE("a device that hangs while it is claimed delays no claim of another one, and no release")
{
	image other;
	if (!other.attach())
		return;
	hanging_claim hanging;
	// Reading a block device needs no look at the mounts.
	auto asked = std::async(std::launch::async, [&] {
		auto claim = hanging.registry().claim(seed_from(other.loop->path()), "bb", first_mebibyte());
		hanging.registry().release("bb");
		return claim;
	});
	CHECK(asked.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
	CHECK_FALSE(hanging.is_over());
	auto const came = hanging.go_on();
	if (!came)
		FAIL(to_string(came.failure()));
	CHECK(asked.get());
}

TEST_CASE("the extents of a claim that hangs are in use already")
{
	hanging_claim hanging;
	auto rival = std::async(std::launch::async,
		[&] { return hanging.registry().claim(seed_from(hanging.path()), "bb", first_mebibyte()); });
	auto const first = hanging.go_on();
	REQUIRE(first);
	auto const second = rival.get();
	REQUIRE_FALSE(second);
	CHECK(second.failure().check == "overlap");
}
