#include "actors/core/extent_map.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

extent_map built(std::vector<torrent_file_entry> const &files)
{
	auto map = extent_map::build(files);
	REQUIRE(map.has_value());
	return std::move(map).value();
}

error refused(std::vector<torrent_file_entry> const &files)
{
	auto map = extent_map::build(files);
	REQUIRE_FALSE(map.has_value());
	CHECK(map.failure().code == errc::invalid_torrent);
	return map.failure();
}

std::vector<extent_segment> visited(extent_map const &map, byte_range range)
{
	std::vector<extent_segment> parts;
	map.for_each_segment(range, [&](extent_segment const &s) { parts.push_back(s); });
	return parts;
}

} // namespace

TEST_CASE("an extent name is hexadecimal with or without 0x, up to 32 digits")
{
	CHECK(*parse_extent_name("0") == 0);
	CHECK(*parse_extent_name("00000000000000000000000000100000") == 0x100000);
	CHECK(*parse_extent_name("0x1f") == 0x1f);
	CHECK(*parse_extent_name("0X1F") == 0x1f);
	CHECK(*parse_extent_name("7fffffffffffffff") == 0x7fffffffffffffffu);
	CHECK(*parse_extent_name("0x0000000000000000000000000000000a") == 10);
}

TEST_CASE("an extent name that is no offset is refused and quoted")
{
	for (auto const *name : {"", "0x", "g", "12 ", " 12", "-1", "+1", "0x0x1", "1.5", "boot.img",
			 "000000000000000000000000000000001", "8000000000000000", "ffffffffffffffff",
			 "10000000000000000"}) {
		INFO(name);
		auto const parsed = parse_extent_name(name);
		REQUIRE_FALSE(parsed.has_value());
		CHECK(parsed.failure().code == errc::invalid_torrent);
		CHECK(parsed.failure().message.find("'" + std::string(name) + "'") != std::string::npos);
	}
}

TEST_CASE("a hostile extent name reaches the operator shortened and printable")
{
	auto const parsed = parse_extent_name("\x1b[2J" + std::string(5000, 'z'));
	REQUIRE_FALSE(parsed.has_value());
	CHECK(parsed.failure().message.size() < 200);
	CHECK(parsed.failure().message.find('\x1b') == std::string::npos);
}

TEST_CASE("extents contiguous on the device and in the payload become one segment")
{
	auto const map = built({{"1000", 0x1000, false}, {"2000", 0x1000, false}, {"8000", 0x10, false}});
	REQUIRE(map.segments().size() == 2);
	CHECK(map.segments()[0] == extent_segment{0, 0x1000, 0x2000, false});
	CHECK(map.segments()[1] == extent_segment{0x2000, 0x8000, 0x10, false});
	CHECK(map.payload_bytes() == 0x2010);
	CHECK(map.device_bytes() == 0x2010);
	CHECK(map.highest_end_bytes() == 0x8010);
}

TEST_CASE("device ranges are sorted and merged whatever the order of the files")
{
	auto const map = built({{"8000", 0x10, false}, {"2000", 0x1000, false}, {"1000", 0x1000, false}});
	CHECK(map.segments().size() == 3);
	REQUIRE(map.device_ranges().size() == 2);
	CHECK(map.device_ranges()[0] == byte_range{0x1000, 0x2000});
	CHECK(map.device_ranges()[1] == byte_range{0x8000, 0x10});
}

TEST_CASE("padding counts in the payload but lies on no device")
{
	auto const map = built({{"0", 100, false}, {"924", 924, true}, {"x", 76, true}, {"64", 50, false}});
	CHECK(map.payload_bytes() == 1150);
	CHECK(map.device_bytes() == 150);
	REQUIRE(map.segments().size() == 3);
	CHECK(map.segments()[1].is_pad);
	CHECK(map.segments()[1].length_bytes == 1000);
	CHECK(map.device_ranges().size() == 1);
}

TEST_CASE("files of length zero cover nothing but must still be offsets")
{
	auto const map = built({{"0", 0, false}, {"1000", 16, false}, {"1008", 0, false}});
	CHECK(map.segments().size() == 1);
	CHECK(map.highest_end_bytes() == 0x1010);
	CHECK(refused({{"1000", 16, false}, {"readme", 0, false}}).message.find("'readme'") != std::string::npos);
	CHECK(built({}).payload_bytes() == 0);
}

TEST_CASE("overlapping extents are refused and both are named")
{
	auto const e = refused({{"1000", 0x1001, false}, {"5000", 1, false}, {"2000", 1, false}});
	CHECK(e.message.find("'2000'") != std::string::npos);
	CHECK(e.message.find("'1000'") != std::string::npos);
	(void)refused({{"0", 1, false}, {"0", 1, false}});
	(void)refused({{"0", 100, false}, {"10", 1, false}});
}

TEST_CASE("an extent may end at 2^63 and not beyond")
{
	CHECK(built({{"7fffffffffffffff", 1, false}}).highest_end_bytes() == std::uint64_t{1} << 63);
	CHECK(refused({{"7fffffffffffffff", 2, false}}).message.find("'7fffffffffffffff'") != std::string::npos);
	(void)refused({{"1", ~std::uint64_t{0}, false}});
}

TEST_CASE("a payload above 2^63 bytes is refused even if it is all padding")
{
	auto const half = std::uint64_t{1} << 62;
	(void)refused({{"a", half, true}, {"b", half, true}, {"c", 1, true}});
}

TEST_CASE("maps overlap only where they share a byte")
{
	auto const a = built({{"1000", 0x1000, false}, {"4000", 0x1000, false}});
	CHECK(a.overlaps(a));
	CHECK_FALSE(a.overlaps(built({{"2000", 0x2000, false}, {"5000", 1, false}, {"0", 0x1000, false}})));
	CHECK(a.overlaps(built({{"2000", 0x2001, false}})));
	CHECK(a.overlaps(built({{"0", 0x1001, false}})));
	CHECK_FALSE(a.overlaps(extent_map{}));
}

TEST_CASE("visiting a payload range clips the first and the last segment")
{
	auto const map = built({{"1000", 100, false}, {"pad", 28, true}, {"9000", 100, false}});
	auto const parts = visited(map, {90, 50});
	REQUIRE(parts.size() == 3);
	CHECK(parts[0] == extent_segment{90, 0x1000 + 90, 10, false});
	CHECK(parts[1].is_pad);
	CHECK(parts[1].length_bytes == 28);
	CHECK(parts[2] == extent_segment{128, 0x9000, 12, false});
	CHECK(visited(map, {0, 228}).size() == 3);
	CHECK(visited(map, {100, 0}).empty());
	CHECK(visited(map, {227, 1}).front() == extent_segment{227, 0x9000 + 99, 1, false});
}
