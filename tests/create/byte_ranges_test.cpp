#include "ctl/create/byte_ranges.hpp"
#include "ctl/create/piece_size.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

constexpr std::uint64_t device = 1 << 20;

} // namespace

TEST_CASE("ranges are widened to the alignment and joined where they touch")
{
	auto const out = consolidate({{100, 200}, {5000, 10}, {20000, 4096}}, 4096, device, 100);
	CHECK(out == std::vector<byte_range>{{0, 8192}, {16384, 8192}});
}

TEST_CASE("the last range ends where the device does")
{
	auto const out = consolidate({{device - 512, 4096}}, 4096, device - 512 + 100, 100);
	CHECK(out == std::vector<byte_range>{{device - 4096, 4096 - 512 + 100}});
}

TEST_CASE("ranges in splinters are joined across the smallest gaps until they fit")
{
	std::vector<byte_range> splinters;
	for (std::uint64_t i = 0; i < 64; ++i)
		splinters.push_back({i * 8192, 4096});
	splinters.push_back({900 * 1024, 4096});
	auto const out = consolidate(splinters, 4096, device, 2);
	CHECK(out == std::vector<byte_range>{{0, 63 * 8192 + 4096}, {900 * 1024, 4096}});
}

TEST_CASE("ranges that fit are left alone")
{
	std::vector<byte_range> const ranges{{0, 4096}, {8192, 4096}};
	CHECK(consolidate(ranges, 4096, device, 2) == ranges);
	CHECK(total_bytes(ranges) == 8192);
}

TEST_CASE("pieces are of 1 MiB, unless there would be too few or too many of them")
{
	CHECK(choose_piece_bytes(1) == 64 * 1024);
	CHECK(choose_piece_bytes(std::uint64_t{200} << 20) == 128 * 1024);
	CHECK(choose_piece_bytes(std::uint64_t{1} << 30) == 1024 * 1024);
	CHECK(choose_piece_bytes(std::uint64_t{5} << 30) == 1024 * 1024);
	CHECK(choose_piece_bytes(std::uint64_t{64} << 30) == 1024 * 1024);
	CHECK(choose_piece_bytes((std::uint64_t{64} << 30) + 1) == 2 * 1024 * 1024);
	CHECK(choose_piece_bytes(std::uint64_t{256} << 30) == 4 * 1024 * 1024);
	CHECK(choose_piece_bytes(std::uint64_t{1} << 45) == 16 * 1024 * 1024);
	CHECK(is_piece_size(64 * 1024));
	CHECK_FALSE(is_piece_size(32 * 1024));
	CHECK_FALSE(is_piece_size(768 * 1024));
	CHECK_FALSE(is_piece_size(32 * 1024 * 1024));
}
