#include "actors/core/piece_set.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

TEST_CASE("a piece is new once")
{
	piece_set had(10);
	CHECK_FALSE(had.contains(piece_index(3)));
	CHECK(had.insert(piece_index(3)));
	CHECK_FALSE(had.insert(piece_index(3)));
	CHECK(had.contains(piece_index(3)));
	CHECK(had.count() == 1);
	CHECK(
		had.bits() == std::vector<bool>{false, false, false, true, false, false, false, false, false, false});
}

TEST_CASE("a piece that the torrent does not have is never new")
{
	piece_set had(10);
	for (auto const number : {-1, 10, 1 << 30}) {
		CHECK_FALSE(had.insert(piece_index(number)));
		CHECK_FALSE(had.contains(piece_index(number)));
	}
	CHECK(had.count() == 0);
	CHECK_FALSE(piece_set(0).insert(piece_index(0)));
	CHECK_FALSE(piece_set(-1).insert(piece_index(0)));
}
