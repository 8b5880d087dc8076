#include "actors/core/piece_audience.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace ezio;

TEST_CASE("a piece is lacked by the connected peers that have not said that they have it")
{
	piece_audience audience(3);
	CHECK_FALSE(audience.is_over(piece_index{0}));
	audience.came();
	audience.came();
	CHECK(audience.lacking(piece_index{1}) == 2);
	audience.has(piece_index{1});
	CHECK(audience.lacking(piece_index{1}) == 1);
	CHECK_FALSE(audience.is_over(piece_index{1}));
	audience.has(piece_index{1});
	CHECK(audience.is_over(piece_index{1}));
	CHECK(audience.lacking(piece_index{2}) == 2);
	// One that had it goes: the other has it still, and the next one that comes lacks it.
	audience.went({false, true, false});
	CHECK(audience.is_over(piece_index{1}));
	CHECK(audience.lacking(piece_index{2}) == 1);
	audience.came();
	CHECK(audience.lacking(piece_index{1}) == 1);
}

TEST_CASE("without peers nothing is over")
{
	piece_audience audience(1);
	audience.came();
	audience.has(piece_index{0});
	CHECK(audience.is_over(piece_index{0}));
	audience.went({true});
	CHECK_FALSE(audience.is_over(piece_index{0}));
	CHECK(audience.lacking(piece_index{0}) == 0);
}

TEST_CASE("of many offers the first ones are kept, in order")
{
	piece_audience audience(100);
	CHECK_FALSE(audience.has_offers());
	for (std::int32_t i = 0; i < 20; ++i)
		CHECK(audience.offer(piece_index{i}) == (i < 16));
	CHECK(audience.has_offers());
	auto const offers = audience.take_offers();
	REQUIRE(offers.size() == 16);
	CHECK(offers.front() == piece_index{0});
	CHECK(offers.back() == piece_index{15});
	CHECK_FALSE(audience.has_offers());
	CHECK(audience.take_offers().empty());
}
