#include "actors/bt/torrent_file.hpp"

#include "actors/core/piece_digest.hpp"

#include <catch2/catch.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/hex.hpp>
#include <libtorrent/torrent_info.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace ezio;

namespace
{

std::string text(std::string const &value)
{
	return std::to_string(value.size()) + ":" + value;
}

std::string integer(std::int64_t value)
{
	return "i" + std::to_string(value) + "e";
}

struct metafile {
	metafile(std::string encoded_path, std::string encoded_length = integer(16384), std::string attr = {})
		: path(std::move(encoded_path)), length(std::move(encoded_length)), attributes(std::move(attr))
	{
	}
	std::string path;
	std::string length;
	std::string attributes;
};

/// A hand-made v1 torrent whose every part a test can spoil.
struct metainfo {
	std::string name = text("sda1");
	std::vector<metafile> files{{"l" + text("0") + "e"}, {"l" + text("100000") + "e"}};
	std::string piece_length = integer(16384);
	std::string pieces = text(std::string(40, 'h'));
	std::string rest_of_info;

	std::string encode() const
	{
		std::string list = "l";
		for (auto const &file : files) {
			list += "d";
			if (!file.attributes.empty())
				list += text("attr") + text(file.attributes);
			list += text("length") + file.length + text("path") + file.path + "e";
		}
		return "d" + text("info") + "d" + text("files") + list + "e" + text("name") + name +
			text("piece length") + piece_length + text("pieces") + pieces + rest_of_info + "ee";
	}
};

std::string path_of(std::initializer_list<char const *> elements)
{
	std::string out = "l";
	for (auto const *element : elements)
		out += text(element);
	return out + "e";
}

std::string single_file(std::string const &name, std::int64_t length)
{
	return "d" + text("info") + "d" + text("length") + integer(length) + text("name") + text(name) +
		text("piece length") + integer(16384) + text("pieces") +
		text(std::string(static_cast<std::size_t>((length + 16383) / 16384 * 20), 'h')) + "ee";
}

std::vector<std::byte> pattern(std::size_t size, std::uint32_t seed)
{
	std::vector<std::byte> out(size);
	std::uint32_t state = seed * 2654435761U + 1;
	for (auto &byte : out) {
		state = state * 1664525U + 1013904223U;
		byte = static_cast<std::byte>(state >> 24);
	}
	return out;
}

/// Hashes of the payload of a layout whose device bytes come from @p device.
std::vector<piece_hashes> hashes_of(
	torrent_description const &layout, std::function<std::byte(std::uint64_t)> const &device)
{
	std::vector<piece_hashes> out;
	for (std::int32_t i = 0; i < layout.pieces.piece_count(); ++i) {
		auto const begin = layout.pieces.piece_offset(piece_index(i));
		std::vector<std::byte> piece(layout.pieces.piece_size(piece_index(i)));
		std::size_t data = 0;
		layout.extents.for_each_segment({begin, piece.size()}, [&](extent_segment const &segment) {
			if (segment.is_pad)
				return;
			for (std::uint64_t b = 0; b < segment.length_bytes; ++b)
				piece[segment.payload_offset_bytes - begin + b] = device(segment.device_offset_bytes + b);
			data += segment.length_bytes;
		});
		piece_hashes hashes;
		hashes.sha1 = sha1_of(piece);
		if (layout.has_v2) {
			for (std::size_t at = 0; at < data; at += block_bytes)
				hashes.block_sha256.push_back(
					sha256_of(std::span(piece).subspan(at, std::min<std::size_t>(block_bytes, data - at))));
		}
		out.push_back(std::move(hashes));
	}
	return out;
}

torrent_plan plan_of(std::vector<byte_range> extents, std::uint32_t piece_bytes, bool is_hybrid = false)
{
	torrent_plan plan;
	plan.name = "sda1";
	plan.extents = std::move(extents);
	plan.piece_bytes = piece_bytes;
	plan.is_hybrid = is_hybrid;
	return plan;
}

struct scratch_directory {
	scratch_directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
	~scratch_directory() { std::filesystem::remove_all(path); }
	scratch_directory(scratch_directory const &) = delete;
	scratch_directory &operator=(scratch_directory const &) = delete;
	std::string path = "/dev/shm/ezio-torrent-XXXXXX";
};

/// The same torrent, made by libtorrent from real files.
lt::torrent_info made_by_libtorrent(
	torrent_plan const &plan, std::function<std::byte(std::uint64_t)> const &device)
{
	scratch_directory const scratch;
	std::filesystem::create_directory(scratch.path + "/" + plan.name);
	lt::file_storage files;
	for (auto const &extent : plan.extents) {
		std::array<char, 40> name{};
		std::snprintf(
			name.data(), name.size(), "%032llx", static_cast<unsigned long long>(extent.offset_bytes));
		auto const path = plan.name + "/" + name.data();
		std::ofstream out(scratch.path + "/" + path, std::ios::binary);
		for (std::uint64_t b = 0; b < extent.length_bytes; ++b)
			out.put(static_cast<char>(device(extent.offset_bytes + b)));
		REQUIRE(out.good());
		files.add_file(path, static_cast<std::int64_t>(extent.length_bytes));
	}
	lt::create_torrent torrent(files, static_cast<int>(plan.piece_bytes),
		plan.is_hybrid ? lt::create_flags_t{} : lt::create_torrent::v1_only);
	lt::set_piece_hashes(torrent, scratch.path);
	torrent.set_creation_date(0);
	auto const bytes = torrent.generate_buf();
	return lt::torrent_info(bytes, lt::from_span);
}

} // namespace

TEST_CASE("a torrent of extents is parsed into its device ranges")
{
	auto const torrent = parse_torrent(metainfo().encode());
	REQUIRE(torrent);
	CHECK(torrent->name == "sda1");
	CHECK(torrent->info_hash.size() == 40);
	CHECK(torrent->info_hash_v2.empty());
	CHECK(torrent->has_v1);
	CHECK_FALSE(torrent->has_v2);
	CHECK(torrent->pieces.piece_bytes == 16384);
	CHECK(torrent->pieces.piece_count() == 2);
	CHECK(torrent->extents.highest_end_bytes() == 0x100000 + 16384);
	REQUIRE(torrent->extents.device_ranges().size() == 2);
	CHECK(torrent->extents.device_ranges()[1] == byte_range{0x100000, 16384});
}

TEST_CASE("the last element of a longer path is the offset")
{
	metainfo info;
	info.files[1].path = path_of({"part", "0x200000"});
	auto const torrent = parse_torrent(info.encode());
	REQUIRE(torrent);
	CHECK(torrent->extents.highest_end_bytes() == 0x200000 + 16384);
}

TEST_CASE("a single-file torrent is one extent at the offset that is its name")
{
	auto const torrent = parse_torrent(single_file("100000", 40000));
	REQUIRE(torrent);
	REQUIRE(torrent->extents.device_ranges().size() == 1);
	CHECK(torrent->extents.device_ranges()[0] == byte_range{0x100000, 40000});
}

TEST_CASE("a single-file torrent with an ordinary name is refused")
{
	auto const torrent = parse_torrent(single_file("debian.iso", 40000));
	REQUIRE_FALSE(torrent);
	CHECK(torrent.failure().code == errc::invalid_torrent);
	CHECK(torrent.failure().message.find("\"debian.iso\"") != std::string::npos);
}

TEST_CASE("a file of no bytes covers nothing and does no harm")
{
	metainfo info;
	info.files.push_back({path_of({"500000"}), integer(0)});
	auto const torrent = parse_torrent(info.encode());
	REQUIRE(torrent);
	CHECK(torrent->files == 3);
	CHECK(torrent->extents.highest_end_bytes() == 0x100000 + 16384);
}

TEST_CASE("padding belongs to the payload and to no device")
{
	metainfo info;
	info.files = {{path_of({"0"}), integer(10000)}, {path_of({".pad", "6384"}), integer(6384), "p"},
		{path_of({"100000"}), integer(16384)}};
	auto const torrent = parse_torrent(info.encode());
	REQUIRE(torrent);
	CHECK(torrent->extents.device_bytes() == 26384);
	CHECK(torrent->extents.payload_bytes() == 32768);
}

TEST_CASE("hostile torrents are refused with one clear line")
{
	struct hostile {
		char const *what;
		std::string bytes;
		char const *expected;
	};
	std::vector<hostile> cases;
	auto const spoil = [&cases](char const *what, char const *expected, auto &&change) {
		metainfo info;
		change(info);
		cases.push_back({what, info.encode(), expected});
	};
	auto const good = metainfo().encode();
	cases.push_back({"empty", "", "empty"});
	cases.push_back({"truncated", good.substr(0, good.size() / 2), "not a torrent"});
	cases.push_back({"not bencoded", "hello, world", "not a torrent"});
	cases.push_back({"a list", "le", "not a dictionary"});
	cases.push_back({"no info", "de", "no info dictionary"});
	cases.push_back({"info is a list", "d4:infolee", "no info dictionary"});
	cases.push_back({"nested too deep", std::string(100000, 'l'), "not a torrent"});
	cases.push_back({"nested info", "d4:info" + std::string(100000, 'l'), "not a torrent"});
	cases.push_back({"string longer than the file", "d4:info99999999999:x", "not a torrent"});
	cases.push_back({"larger than 16 MiB", std::string(torrent_bytes_max + 1, 'd'), "larger than 16 MiB"});
	spoil("no hexadecimal name", "not named by a device offset",
		[](metainfo &i) { i.files[0].path = path_of({"vmlinuz"}); });
	spoil("33 digits", "not named by a device offset",
		[](metainfo &i) { i.files[0].path = path_of({"000000000000000000000000000000000"}); });
	spoil(
		"a sign", "not named by a device offset", [](metainfo &i) { i.files[0].path = path_of({"-1000"}); });
	spoil("offset 2^63", "not named by a device offset",
		[](metainfo &i) { i.files[1].path = path_of({"8000000000000000"}); });
	spoil(
		"extent beyond 2^63", "extent", [](metainfo &i) { i.files[1].path = path_of({"7fffffffffffffff"}); });
	spoil("overlap", "overlap", [](metainfo &i) { i.files[1].path = path_of({"1000"}); });
	spoil("the same offset twice", "overlap", [](metainfo &i) { i.files[1].path = path_of({"0x00"}); });
	spoil("the same name twice", "overlap", [](metainfo &i) { i.files[1].path = path_of({"0"}); });
	spoil("path traversal", "path element", [](metainfo &i) {
		i.files[0].path = path_of({"..", "..", "0"});
	});
	spoil("a separator in a name", "separator", [](metainfo &i) { i.files[0].path = path_of({"/dev/sda"}); });
	spoil("an empty name", "empty path element", [](metainfo &i) { i.files[0].path = path_of({""}); });
	spoil("no path", "no path", [](metainfo &i) { i.files[0].path = "le"; });
	spoil("path is a number", "no path", [](metainfo &i) { i.files[0].path = integer(7); });
	spoil("a terminal's escape in a name", "\\x1b[2J",
		[](metainfo &i) { i.files[0].path = path_of({"\x1b[2J"}); });
	spoil("negative length", "has no length", [](metainfo &i) { i.files[0].length = integer(-1); });
	spoil("length beyond 64 bits", "integer overflow",
		[](metainfo &i) { i.files[0].length = "i99999999999999999999999999e"; });
	spoil("length is a text", "has no length", [](metainfo &i) { i.files[0].length = text("16384"); });
	spoil("length 2^62", "larger than 2^48",
		[](metainfo &i) { i.files[0].length = integer(std::int64_t{1} << 62); });
	spoil("symbolic link", "symbolic link", [](metainfo &i) { i.files[0].attributes = "l"; });
	spoil("no files", "no files", [](metainfo &i) { i.files.clear(); });
	spoil("nothing but empty files", "covers no byte", [](metainfo &i) {
		i.files[0].length = i.files[1].length = integer(0);
		i.pieces = text("");
	});
	spoil("nothing but padding", "covers no byte",
		[](metainfo &i) { i.files[0].attributes = i.files[1].attributes = "p"; });
	spoil("no hashes", "SHA-1", [](metainfo &i) { i.pieces = text(""); });
	spoil("one hash too few", "SHA-1", [](metainfo &i) { i.pieces = text(std::string(20, 'h')); });
	spoil("hashes cut", "SHA-1", [](metainfo &i) { i.pieces = text(std::string(39, 'h')); });
	spoil("hashes are a number", "not valid", [](metainfo &i) { i.pieces = integer(3); });
	spoil("piece length 0", "piece length", [](metainfo &i) { i.piece_length = integer(0); });
	spoil("piece length negative", "piece length", [](metainfo &i) { i.piece_length = integer(-16384); });
	spoil("piece length 16000", "piece length", [](metainfo &i) { i.piece_length = integer(16000); });
	spoil("piece length 48 KiB", "piece length", [](metainfo &i) { i.piece_length = integer(49152); });
	spoil("piece length 512 MiB", "piece length", [](metainfo &i) { i.piece_length = integer(1 << 29); });
	spoil("piece length 2^62", "piece length",
		[](metainfo &i) { i.piece_length = integer(std::int64_t{1} << 62); });
	spoil("piece length is a text", "piece length", [](metainfo &i) { i.piece_length = text("16384"); });
	for (auto const &c : cases) {
		INFO(c.what);
		auto const torrent = parse_torrent(c.bytes);
		REQUIRE_FALSE(torrent);
		INFO(torrent.failure().message);
		CHECK(torrent.failure().code == errc::invalid_torrent);
		CHECK(torrent.failure().message.find(c.expected) != std::string::npos);
		CHECK(std::all_of(torrent.failure().message.begin(), torrent.failure().message.end(),
			[](char character) { return character >= ' ' && character <= '~'; }));
	}
}

TEST_CASE("a torrent cut off at any byte is refused")
{
	auto const good = metainfo().encode();
	for (std::size_t size = 0; size < good.size(); ++size) {
		INFO(size);
		CHECK_FALSE(parse_torrent(good.substr(0, size)));
	}
}

TEST_CASE("a torrent with any one byte changed is refused or parsed, never more")
{
	auto const good = metainfo().encode();
	std::size_t refused = 0;
	for (std::size_t at = 0; at < good.size(); ++at) {
		for (auto const replacement : {'\0', '0', '9', ':', 'd', 'e', 'i', 'l', '\xff'}) {
			auto spoilt = good;
			spoilt[at] = replacement;
			auto const torrent = parse_torrent(spoilt);
			if (torrent)
				CHECK(torrent->extents.device_bytes() > 0);
			else
				++refused;
		}
	}
	CHECK(refused > 0);
}

TEST_CASE("an examination names every fault of a torrent")
{
	metainfo info;
	info.files[0].path = path_of({"vmlinuz"});
	info.files[1].length = integer(-5);
	info.files.push_back({path_of({"100000"})});
	info.files.push_back({path_of({"100200"})});
	info.piece_length = integer(1000);
	auto const found = examine_torrent(info.encode());
	CHECK(found.faults.size() == 4);
}

TEST_CASE("faults beyond the limit are counted, not listed")
{
	metainfo info;
	info.files.assign(100, metafile(path_of({"x"})));
	auto const found = examine_torrent(info.encode());
	CHECK(found.faults.size() == 33);
	CHECK(found.faults.back() == "and 68 more faults");
}

TEST_CASE("a torrent that was built parses to its plan")
{
	auto plan = plan_of({{0, 50000}, {0x40000, 16384}, {0x123456000, 100000}}, 32768);
	plan.trackers = {"http://a.example/announce", "udp://b.example:6969"};
	plan.comment = "a comment";
	plan.creator = "a test";
	plan.created_unix = 1700000000;
	auto const layout = lay_out(plan);
	REQUIRE(layout);
	auto const device = [](std::uint64_t offset) { return static_cast<std::byte>(offset * 31 >> 3); };
	auto const bytes = build_torrent(plan, hashes_of(*layout, device));
	REQUIRE(bytes);
	auto const torrent = parse_torrent(*bytes);
	REQUIRE(torrent);
	CHECK(torrent->name == plan.name);
	CHECK(torrent->trackers == plan.trackers);
	CHECK(torrent->comment == plan.comment);
	CHECK(torrent->creator == plan.creator);
	CHECK(torrent->created_unix == plan.created_unix);
	CHECK(torrent->pieces.total_bytes == 166384);
	CHECK(torrent->pieces.piece_bytes == 32768);
	auto const ranges = torrent->extents.device_ranges();
	CHECK(std::vector(ranges.begin(), ranges.end()) == plan.extents);
	auto const segments = torrent->extents.segments();
	auto const planned = layout->extents.segments();
	CHECK(std::equal(segments.begin(), segments.end(), planned.begin(), planned.end()));
}

TEST_CASE("a torrent of one extent is a directory with one file named by its offset")
{
	auto const plan = plan_of({{0, 16384}}, 16384);
	auto const layout = lay_out(plan);
	REQUIRE(layout);
	auto const bytes = build_torrent(plan, hashes_of(*layout, [](std::uint64_t) { return std::byte{7}; }));
	REQUIRE(bytes);
	lt::torrent_info const torrent(*bytes, lt::from_span);
	CHECK(torrent.files().file_path(lt::file_index_t(0)) == "sda1/00000000000000000000000000000000");
}

TEST_CASE("our torrents are the ones libtorrent makes of the same files")
{
	auto const data = pattern(1 << 20, 7);
	auto const device = [&data](std::uint64_t offset) { return data[offset % data.size()]; };
	struct shape {
		char const *what;
		std::vector<byte_range> extents;
	};
	std::vector<shape> const shapes{
		{"one extent of whole pieces", {{0, 131072}}},
		{"one extent, shorter than a piece", {{4096, 40000}}},
		{"one extent, shorter than a block", {{4096, 4096}}},
		{"extents of all lengths",
			{{0, 4096}, {8192, 65536}, {0x20000, 65537}, {0x40000, 81920}, {0x80000, 200000},
				{0xc0000, 49152}}},
		{"a last piece of one byte", {{0, 65537}}},
	};
	for (auto const &shape : shapes) {
		for (bool const is_hybrid : {false, true}) {
			INFO(shape.what << (is_hybrid ? ", hybrid" : ", v1"));
			auto const plan = plan_of(shape.extents, 65536, is_hybrid);
			auto const layout = lay_out(plan);
			REQUIRE(layout);
			auto const bytes = build_torrent(plan, hashes_of(*layout, device));
			REQUIRE(bytes);
			auto const ours = parse_torrent(*bytes);
			REQUIRE(ours);
			auto const theirs = made_by_libtorrent(plan, device);
			CHECK(ours->info_hash == lt::aux::to_hex(theirs.info_hashes().v1));
			CHECK(ours->has_v2 == is_hybrid);
			if (is_hybrid)
				CHECK(ours->info_hash_v2 == lt::aux::to_hex(theirs.info_hashes().v2));
			CHECK(ours->pieces.total_bytes == layout->pieces.total_bytes);
			auto const parsed = ours->extents.segments();
			auto const planned = layout->extents.segments();
			CHECK(std::equal(parsed.begin(), parsed.end(), planned.begin(), planned.end()));
		}
	}
}

TEST_CASE("a torrent of version 2 alone is accepted, and its extents start pieces")
{
	scratch_directory const scratch;
	std::filesystem::create_directory(scratch.path + "/disk");
	lt::file_storage files;
	for (auto const &[name, size] :
		std::vector<std::pair<std::string, int>>{{"0", 20000}, {"100000", 40000}}) {
		std::ofstream(scratch.path + "/disk/" + name) << std::string(static_cast<std::size_t>(size), 'x');
		files.add_file("disk/" + name, size);
	}
	lt::create_torrent torrent(files, 16384, lt::create_torrent::v2_only);
	lt::set_piece_hashes(torrent, scratch.path);
	auto const bytes = torrent.generate_buf();
	auto const parsed = parse_torrent({bytes.begin(), bytes.end()});
	if (!parsed)
		FAIL(parsed.failure().message);
	CHECK_FALSE(parsed->has_v1);
	CHECK(parsed->has_v2);
	CHECK(parsed->info_hash == parsed->info_hash_v2.substr(0, 40));
	CHECK(parsed->extents.device_bytes() == 60000);
	std::uint64_t second = 0;
	for (auto const &segment : parsed->extents.segments()) {
		if (!segment.is_pad && segment.device_offset_bytes == 0x100000)
			second = segment.payload_offset_bytes;
	}
	CHECK(second == 32768);
}

TEST_CASE("a plan that cannot be a torrent is refused")
{
	struct bad {
		char const *what;
		torrent_plan plan;
	};
	std::vector<bad> cases{
		{"no extents", plan_of({}, 16384)},
		{"an empty extent", plan_of({{0, 0}}, 16384)},
		{"out of order", plan_of({{32768, 16384}, {0, 16384}}, 16384)},
		{"overlapping", plan_of({{0, 16384}, {16383, 16384}}, 16384)},
		{"beyond 2^63", plan_of({{(std::uint64_t{1} << 63) - 16384, 16384}}, 16384)},
		{"piece size 0", plan_of({{0, 16384}}, 0)},
		{"piece size no power of two", plan_of({{0, 16384}}, 17000)},
		{"piece size too large", plan_of({{0, 16384}}, 1U << 29)},
		{"too many pieces", plan_of({{0, std::uint64_t{1} << 40}}, 16384)},
	};
	for (auto const *name : {"", ".", "..", "a/b", "a\nb"}) {
		auto plan = plan_of({{0, 16384}}, 16384);
		plan.name = name;
		cases.push_back({"a name", plan});
	}
	auto plan = plan_of({{0, 16384}}, 16384);
	plan.trackers = {"file:///etc/passwd"};
	cases.push_back({"a tracker that is none", plan});
	for (auto const &c : cases) {
		INFO(c.what);
		auto const layout = lay_out(c.plan);
		REQUIRE_FALSE(layout);
		CHECK(layout.failure().code == errc::invalid_argument);
		CHECK_FALSE(build_torrent(c.plan, {}));
	}
}

TEST_CASE("a torrent is not built from the wrong number of hashes")
{
	auto const plan = plan_of({{0, 40000}}, 16384, true);
	auto const layout = lay_out(plan);
	REQUIRE(layout);
	auto hashes = hashes_of(*layout, [](std::uint64_t) { return std::byte{1}; });
	REQUIRE(build_torrent(plan, hashes));
	auto short_of_block = hashes;
	short_of_block[1].block_sha256.pop_back();
	CHECK_FALSE(build_torrent(plan, short_of_block));
	hashes.pop_back();
	CHECK_FALSE(build_torrent(plan, hashes));
}

TEST_CASE("an extent longer than a file may be is split and joined again")
{
	auto plan = plan_of({{0, std::uint64_t{20} << 40}}, 64 * 1024 * 1024);
	auto const layout = lay_out(plan);
	REQUIRE(layout);
	CHECK(layout->files == 3);
	CHECK(layout->extents.device_ranges().size() == 1);
}
