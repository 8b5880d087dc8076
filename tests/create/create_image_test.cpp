#include "actors/bt/torrent_file.hpp"
#include "actors/core/piece_digest.hpp"
#include "ctl/create/create.hpp"
#include "ctl/create/inspect.hpp"
#include "ctl/create/local_files.hpp"
#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace ezio;

namespace
{

std::atomic<bool> const not_interrupted{false};

std::string noise(std::size_t size)
{
	std::string out(size, '\0');
	std::uint32_t state = 12345;
	for (auto &c : out) {
		state = state * 1664525U + 1013904223U;
		c = static_cast<char>(state >> 24);
	}
	return out;
}

void write_file(std::string const &path, std::string const &content)
{
	std::ofstream file(path, std::ios::binary);
	file << content;
	REQUIRE(file.good());
}

create_options raw_options(std::string const &source, std::string const &output)
{
	create_options options;
	options.source = source;
	options.output = output;
	options.filesystem = "raw";
	options.created_unix = 1700000000;
	return options;
}

std::size_t files_in(std::string const &directory)
{
	std::size_t count = 0;
	for ([[maybe_unused]] auto const &entry : std::filesystem::directory_iterator(directory))
		++count;
	return count;
}

sha1_digest sha1_of_text(std::string const &text)
{
	return sha1_of(std::as_bytes(std::span(text)));
}

} // namespace

TEST_CASE("a raw image becomes a torrent of all its bytes, with the right hash for every piece")
{
	test::temporary_directory const scratch;
	auto const content = noise(5 * 1024 * 1024 + 777);
	write_file(scratch.file("disk.img"), content);
	auto options = raw_options(scratch.file("disk.img"), scratch.file("out.torrent"));
	options.threads = GENERATE(1U, 3U);
	options.is_hybrid = GENERATE(false, true);
	options.comment = "golden image";
	options.trackers = {"http://tracker.example/announce"};
	std::uint64_t last_done = 0;
	std::uint64_t last_total = 0;
	auto const caller = std::this_thread::get_id();
	auto const report = create_torrent(
		options,
		[&](std::uint64_t done, std::uint64_t total) {
			CHECK(std::this_thread::get_id() == caller);
			CHECK(done >= last_done);
			last_done = done;
			last_total = total;
		},
		not_interrupted);
	if (!report)
		FAIL(to_string(report.failure()));
	CHECK(report->filesystem == "raw");
	CHECK(report->covered_bytes == content.size());
	CHECK(report->device_bytes == content.size());
	CHECK(report->piece_bytes == 64 * 1024);
	CHECK(report->pieces == 81);
	CHECK(report->name == "disk.img");
	CHECK(report->info_hash_v2.empty() != options.is_hybrid);
	CHECK(last_done == content.size());
	CHECK(last_total == content.size());

	auto const bytes = read_small_file(options.output, torrent_bytes_max);
	REQUIRE(bytes);
	auto const torrent = parse_torrent(*bytes);
	REQUIRE(torrent);
	CHECK(torrent->comment == options.comment);
	CHECK(torrent->trackers == options.trackers);
	CHECK(torrent->created_unix == 1700000000);
	// Hashed here independently; the layout's own test compares the rest with libtorrent.
	std::string hashes;
	for (std::size_t at = 0; at < content.size(); at += report->piece_bytes) {
		auto const digest = sha1_of_text(content.substr(at, report->piece_bytes));
		hashes.append(reinterpret_cast<char const *>(digest.data()), digest.size());
	}
	CHECK(bytes->find("6:pieces" + std::to_string(hashes.size()) + ":" + hashes) != std::string::npos);

	auto const inspected = inspect_torrent_file(options.output);
	REQUIRE(inspected);
	CHECK(inspected->is_usable);
	CHECK(inspected->extents == std::vector<byte_range>{{0, content.size()}});
	CHECK(inspected->highest_end_bytes == content.size());
	CHECK(inspected->info_hash == report->info_hash);
}

TEST_CASE("the same source gives the same torrent when SOURCE_DATE_EPOCH is set")
{
	test::temporary_directory const scratch;
	write_file(scratch.file("disk.img"), noise(300000));
	auto options = raw_options(scratch.file("disk.img"), scratch.file("a.torrent"));
	options.created_unix.reset();
	REQUIRE(::setenv("SOURCE_DATE_EPOCH", "1234567890", 1) == 0);
	REQUIRE(create_torrent(options, {}, not_interrupted));
	options.output = scratch.file("b.torrent");
	REQUIRE(create_torrent(options, {}, not_interrupted));
	REQUIRE(::setenv("SOURCE_DATE_EPOCH", "yesterday", 1) == 0);
	auto const refused = create_torrent(options, {}, not_interrupted);
	REQUIRE(::unsetenv("SOURCE_DATE_EPOCH") == 0);
	CHECK_FALSE(refused);
	auto const a = read_small_file(scratch.file("a.torrent"), torrent_bytes_max);
	auto const b = read_small_file(scratch.file("b.torrent"), torrent_bytes_max);
	REQUIRE((a && b));
	CHECK(*a == *b);
	CHECK(parse_torrent(*a)->created_unix == 1234567890);
}

TEST_CASE("an interrupted creation says so and leaves no file")
{
	test::temporary_directory const scratch;
	write_file(scratch.file("disk.img"), noise(1 << 20));
	std::atomic<bool> const interrupted{true};
	auto const report =
		create_torrent(raw_options(scratch.file("disk.img"), scratch.file("out.torrent")), {}, interrupted);
	REQUIRE_FALSE(report);
	CHECK(report.failure().code == errc::interrupted);
	CHECK(files_in(scratch.path()) == 1);
}

TEST_CASE("a failure leaves the torrent that was there before")
{
	test::temporary_directory const scratch;
	write_file(scratch.file("disk.img"), noise(1 << 20));
	write_file(scratch.file("out.torrent"), "the old one");
	auto options = raw_options(scratch.file("disk.img"), scratch.file("out.torrent"));
	options.trackers = {"gopher://tracker"};
	REQUIRE_FALSE(create_torrent(options, {}, not_interrupted));
	auto const left = read_small_file(options.output, 100);
	REQUIRE(left);
	CHECK(*left == "the old one");
	CHECK(files_in(scratch.path()) == 2);
}

TEST_CASE("options and sources that cannot be are refused")
{
	test::temporary_directory const scratch;
	write_file(scratch.file("disk.img"), noise(1 << 20));
	write_file(scratch.file("empty.img"), "");
	auto const good = raw_options(scratch.file("disk.img"), scratch.file("out.torrent"));
	auto const code_of = [](create_options const &options) {
		auto const report = create_torrent(options, {}, not_interrupted);
		return report ? std::string("created") : std::string(to_string(report.failure().code));
	};
	auto options = good;
	options.source = scratch.file("missing");
	CHECK(code_of(options) == "not-found");
	options = good;
	options.source = scratch.file("empty.img");
	CHECK(code_of(options) == "invalid-argument");
	options = good;
	options.source = "/dev/null";
	CHECK(code_of(options) != "created");
	options = good;
	options.source = scratch.path();
	CHECK(code_of(options) != "created");
	options = good;
	options.output = scratch.file("disk.img");
	CHECK(code_of(options) == "invalid-argument");
	options = good;
	options.output = "/dev/null";
	CHECK(code_of(options) == "invalid-argument");
	options = good;
	options.output = scratch.file("no/such/directory.torrent");
	CHECK(code_of(options) == "not-found");
	options = good;
	options.piece_bytes = 300000;
	CHECK(code_of(options) == "invalid-argument");
	options = good;
	options.name = "a/b";
	CHECK(code_of(options) == "invalid-argument");
	options = good;
	options.filesystem = "../bin/sh";
	CHECK(code_of(options) == "unsupported");
	options = good;
	options.filesystem = "auto";
	CHECK(code_of(options) == "unsupported");
	CHECK(files_in(scratch.path()) == 2);
	CHECK(code_of(good) == "created");
}

TEST_CASE("a torrent.info becomes a torrent with its hashes, without the device")
{
	test::temporary_directory const scratch;
	auto const digest = sha1_of_text("whatever");
	std::string hex;
	for (auto const byte : digest) {
		constexpr auto digits = "0123456789abcdef";
		hex += digits[std::to_integer<unsigned>(byte) >> 4];
		hex += digits[std::to_integer<unsigned>(byte) & 15];
	}
	std::filesystem::create_directory(scratch.file("sda1"));
	auto const info =
		"block_size: 4096\nblocks_total: 256\noffset: 00\nlength: 1000\noffset: 8000\nlength: 2000\nsha1: " +
		hex + "\n";
	write_file(scratch.file("sda1/torrent.info"), info);
	create_options options;
	options.source = scratch.file("sda1/torrent.info");
	options.output = scratch.file("out.torrent");
	auto const report = create_torrent(options, {}, not_interrupted);
	if (!report)
		FAIL(to_string(report.failure()));
	CHECK(report->name == "sda1");
	CHECK(report->filesystem == "torrent.info");
	CHECK(report->device_bytes == 1 << 20);
	auto const inspected = inspect_torrent_file(options.output);
	REQUIRE(inspected);
	CHECK(inspected->is_usable);
	CHECK(inspected->piece_bytes == 16 * 1024 * 1024);
	CHECK(inspected->extents == std::vector<byte_range>{{0, 0x1000}, {0x8000, 0x2000}});

	options.is_hybrid = true;
	auto const hybrid = create_torrent(options, {}, not_interrupted);
	REQUIRE_FALSE(hybrid);
	CHECK(hybrid.failure().code == errc::unsupported);
	options.is_hybrid = false;
	write_file(options.source, info + "offset: 0\n");
	auto const spoilt = create_torrent(options, {}, not_interrupted);
	REQUIRE_FALSE(spoilt);
	CHECK_THAT(spoilt.failure().message, Catch::Contains("line 8"));
}

TEST_CASE("a source that changes while it is read gives no torrent")
{
	test::temporary_directory const scratch;
	write_file(scratch.file("disk.img"), noise(1 << 20));
	bool is_changed = false;
	auto const report = create_torrent(
		raw_options(scratch.file("disk.img"), scratch.file("out.torrent")),
		[&](std::uint64_t, std::uint64_t) {
			if (!is_changed)
				std::filesystem::resize_file(scratch.file("disk.img"), (1 << 20) + 1);
			is_changed = true;
		},
		not_interrupted);
	REQUIRE(is_changed);
	REQUIRE_FALSE(report);
	CHECK(report.failure().code == errc::integrity);
	CHECK(files_in(scratch.path()) == 1);
}

TEST_CASE("inspection of a spoilt torrent is a report, of a missing one an error")
{
	test::temporary_directory const scratch;
	write_file(scratch.file("bad.torrent"), "d4:infod4:name4:sda1ee");
	auto const bad = inspect_torrent_file(scratch.file("bad.torrent"));
	REQUIRE(bad);
	CHECK_FALSE(bad->is_usable);
	CHECK(bad->faults.size() >= 2);
	CHECK(bad->name == "sda1");
	auto const missing = inspect_torrent_file(scratch.file("missing"));
	REQUIRE_FALSE(missing);
	CHECK(missing.failure().code == errc::not_found);
	CHECK_FALSE(inspect_torrent_file(scratch.path()));
}
