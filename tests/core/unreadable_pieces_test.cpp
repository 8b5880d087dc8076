#include "actors/core/unreadable_pieces.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace ezio;

TEST_CASE("an onlooker hears once of each piece that cannot be read, and of each that can again")
{
	auto const pieces = std::make_shared<unreadable_pieces>(4);
	unreadable_watch watch(pieces);
	CHECK(watch.look().empty());
	CHECK_FALSE(watch.is_any());
	pieces->add(piece_index{2});
	pieces->add(piece_index{0});
	pieces->add(piece_index{2});
	CHECK_FALSE(watch.contains(piece_index{2})); // as of the last look
	CHECK(watch.look() == std::vector{piece_index{0}, piece_index{2}});
	CHECK(watch.look().empty());
	CHECK(watch.contains(piece_index{2}));
	CHECK(watch.is_any());
	pieces->remove(piece_index{0});
	CHECK(watch.look() == std::vector{piece_index{0}});
	CHECK(watch.list() == std::vector{piece_index{2}});
	pieces->clear();
	CHECK(watch.look() == std::vector{piece_index{2}});
	CHECK_FALSE(watch.is_any());
	// What came and went in between is no news.
	pieces->add(piece_index{1});
	pieces->remove(piece_index{1});
	CHECK(watch.look().empty());
}

TEST_CASE("each onlooker has a view of its own, and a number that is no piece's is never in it")
{
	auto const pieces = std::make_shared<unreadable_pieces>(4);
	pieces->add(piece_index{3});
	unreadable_watch early(pieces);
	unreadable_watch late(pieces);
	CHECK(early.look().size() == 1);
	CHECK(late.look().size() == 1);
	CHECK_FALSE(late.contains(piece_index{-1}));
	CHECK_FALSE(late.contains(piece_index{4}));
}

TEST_CASE("no change is missed while another thread makes more of them")
{
	auto const pieces = std::make_shared<unreadable_pieces>(1000);
	unreadable_watch watch(pieces);
	std::thread other([&] {
		for (std::int32_t i = 0; i < 1000; ++i)
			pieces->add(piece_index{i});
	});
	std::size_t heard = 0;
	while (heard < 1000)
		heard += watch.look().size();
	other.join();
	CHECK(watch.look().empty());
	CHECK(watch.list().size() == 1000);
}
