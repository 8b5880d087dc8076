#include "actors/core/range_list.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace ezio;

namespace
{

using ranges = std::vector<byte_range>;

} // namespace

TEST_CASE("stretches that overlap or touch become one, whatever their order")
{
	range_list list;
	list.add({100, 50});
	list.add({300, 10});
	list.add({150, 10}); // touches the first
	list.add({90, 5});
	CHECK(list.listed().ranges == ranges{{90, 5}, {100, 60}, {300, 10}});
	list.add({95, 300}); // swallows the rest
	CHECK(list.listed().ranges == ranges{{90, 305}});
	CHECK(list.listed().bytes == 305);
	CHECK(list.listed().more == 0);
	list.add({1000, 0});
	CHECK(list.listed().ranges.size() == 1);
	list.clear();
	CHECK(list.empty());
}

TEST_CASE("a list of stretches is as good as a map of bytes")
{
	std::mt19937 random(7);
	range_list list;
	std::vector<bool> bytes(2000);
	for (int i = 0; i < 200; ++i) {
		byte_range const range{random() % 1900, random() % 40};
		list.add(range);
		for (auto at = range.offset_bytes; at < range.end_bytes(); ++at)
			bytes[at] = true;
	}
	std::vector<bool> listed(2000);
	std::uint64_t end = 0;
	for (auto const &range : list.listed().ranges) {
		CHECK((end == 0 || range.offset_bytes > end));
		end = range.end_bytes();
		for (auto at = range.offset_bytes; at < end; ++at)
			listed[at] = true;
	}
	REQUIRE(list.listed().more == 0);
	CHECK(listed == bytes);
}

TEST_CASE("beyond its bound a list counts and does not grow")
{
	range_list list;
	for (std::uint64_t i = 0; i < 5000; ++i) {
		list.add({i * 100, 10});
		list.add({i * 100 + 10, 10}); // the same stretch goes on
	}
	auto const listed = list.listed();
	CHECK(listed.ranges.size() == range_list::listed_max);
	CHECK(listed.ranges.back() == byte_range{6300, 20});
	CHECK(listed.more == 5000 - range_list::listed_max);
}

TEST_CASE("a list is named with its first stretches and the number of the rest")
{
	listed_ranges list;
	CHECK(to_string(list, 2).empty());
	list.ranges = {{0, 512}, {4096, 1024}, {9999, 1}};
	CHECK(to_string(list, 3) == "offset 0 length 512, offset 4096 length 1024, offset 9999 length 1");
	list.more = 4;
	CHECK(to_string(list, 2) == "offset 0 length 512, offset 4096 length 1024 and 5 more");
}
