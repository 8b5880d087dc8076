#include "actors/core/torrent_session.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

TEST_CASE("every torrent state has a name that leads back to it")
{
	for (int i = 0; i <= static_cast<int>(torrent_state::error); ++i) {
		auto const state = static_cast<torrent_state>(i);
		INFO(to_string(state));
		CHECK(torrent_state_from_string(to_string(state)) == state);
	}
	CHECK(to_string(torrent_state::syncing) == "syncing");
}

TEST_CASE("an unknown torrent state has no value")
{
	CHECK_FALSE(torrent_state_from_string("Seeding").has_value());
	CHECK_FALSE(torrent_state_from_string("").has_value());
}
