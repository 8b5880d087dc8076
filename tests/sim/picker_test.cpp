#include "tests/sim/model/picker.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace ezio::sim;

namespace
{

piece_set set_of(std::initializer_list<std::uint32_t> pieces)
{
	piece_set set(200);
	for (auto const piece : pieces) {
		set.insert(piece);
	}
	return set;
}

} // namespace

TEST_CASE("the rarest piece that is offered and wanted is picked")
{
	random_source random(1);
	std::vector<std::uint16_t> copies(200, 5);
	copies[7] = 1;   // not offered
	copies[130] = 2; // not wanted
	copies[64] = 3;
	CHECK(pick_rarest(set_of({3, 64, 130, 199}), set_of({3, 7, 64, 199}), nullptr, copies, random) == 64u);
}

TEST_CASE("each of the equally rare is picked now and then, and nothing else")
{
	random_source random(1);
	std::vector<std::uint16_t> const copies(200, 5);
	piece_set const offered = set_of({3, 64, 199});
	std::set<std::uint32_t> picked;
	for (int i = 0; i < 100; ++i) {
		picked.insert(pick_rarest(offered, piece_set(200, true), nullptr, copies, random).value());
	}
	CHECK(picked == std::set<std::uint32_t>{3, 64, 199});
}

TEST_CASE("nothing is picked where nothing is left that is offered, wanted and not avoided")
{
	random_source random(1);
	std::vector<std::uint16_t> const copies(200, 1);
	piece_set const wanted = set_of({3, 64});
	piece_set const avoided = set_of({3});
	CHECK(pick_rarest(set_of({3, 64}), wanted, &avoided, copies, random) == 64u);
	CHECK(has_wanted(set_of({3, 64}), wanted, &avoided));
	CHECK_FALSE(pick_rarest(set_of({3, 65}), wanted, &avoided, copies, random));
	CHECK_FALSE(has_wanted(set_of({3, 65}), wanted, &avoided));
	CHECK(has_wanted(set_of({3, 65}), wanted, nullptr));
}
