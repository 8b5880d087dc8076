#include "actors/core/peer_roster.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace ezio;

namespace
{

listen_endpoint v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port = 6881)
{
	listen_endpoint where;
	where.address = {a, b, c, d};
	where.port = port;
	return where;
}

listen_endpoint v6(std::uint8_t first, std::uint8_t last, std::uint16_t port = 6881)
{
	listen_endpoint where;
	where.is_v6 = true;
	where.address[0] = first;
	where.address[15] = last;
	where.port = port;
	return where;
}

/// What a roster of these says to a newcomer.
std::vector<char> message_of(std::vector<listen_endpoint> const &peers)
{
	peer_roster roster;
	for (std::size_t i = 0; i < peers.size(); ++i)
		roster.add(i + 1, peers[i]);
	return roster.message_to(1000000);
}

} // namespace

TEST_CASE("a newcomer learns of all who are there but itself")
{
	peer_roster teller;
	teller.add(1, v4(10, 0, 0, 1));
	teller.add(2, v6(0x20, 2, 7000));
	teller.add(3, v4(10, 0, 0, 3));
	teller.add(4, v4(10, 0, 0, 3));
	peer_roster newcomer;
	auto const named = newcomer.newly_named(teller.message_to(3), false);
	REQUIRE(named.size() == 2);
	CHECK(std::count(named.begin(), named.end(), v4(10, 0, 0, 1)) == 1);
	CHECK(std::count(named.begin(), named.end(), v6(0x20, 2, 7000)) == 1);
}

TEST_CASE("an address is tried once, and again after a while; one that is connected is not")
{
	peer_roster roster;
	roster.add(1, v4(10, 0, 0, 1));
	auto const message = message_of({v4(10, 0, 0, 1), v4(10, 0, 0, 2)});
	CHECK(roster.newly_named(message, false) == std::vector{v4(10, 0, 0, 2)});
	CHECK(roster.newly_named(message, false).empty());
	roster.forget_tried();
	CHECK(roster.newly_named(message, false) == std::vector{v4(10, 0, 0, 2)});
	roster.remove(1);
	CHECK(roster.newly_named(message, false) == std::vector{v4(10, 0, 0, 1)});
}

TEST_CASE("addresses that nobody can listen at are not tried")
{
	peer_roster roster;
	CHECK(roster
			  .newly_named(message_of({v4(10, 0, 0, 1, 0), v4(0, 0, 0, 0), v4(0, 1, 2, 3), v4(224, 0, 0, 1),
							   v4(255, 255, 255, 255), v6(0, 0), v6(0xff, 1)}),
				  true)
			  .empty());
}

TEST_CASE("a loopback address is believed from this machine only")
{
	auto const message = message_of({v4(127, 0, 0, 1), v6(0, 1)});
	peer_roster roster;
	CHECK(roster.newly_named(message, false).empty());
	CHECK(roster.newly_named(message, true).size() == 2);
}

TEST_CASE("a message that is cut, too long or of another form names nobody")
{
	auto message = message_of({v4(10, 0, 0, 1), v6(0x20, 2)});
	for (std::size_t length = 1; length < message.size(); ++length) {
		if (length == 7)
			continue; // exactly the first entry
		CAPTURE(length);
		CHECK(peer_roster().newly_named(std::span(message).first(length), false).empty());
	}
	message[0] = 5;
	CHECK(peer_roster().newly_named(message, false).empty());
	std::vector<char> const huge(peer_roster::message_bytes_max + 1, 4);
	CHECK(peer_roster().newly_named(huge, false).empty());
	std::mt19937 random(Catch::rngSeed());
	for (int i = 0; i < 2000; ++i) {
		std::vector<char> noise(random() % 200);
		for (auto &byte : noise)
			byte = static_cast<char>(random() % 8);
		for (auto const &where : peer_roster().newly_named(noise, true))
			CHECK(where.is_usable());
	}
}

TEST_CASE("lists, connections and memory are bounded")
{
	peer_roster big;
	for (std::uint64_t i = 0; i < 1000; ++i)
		big.add(i, v4(10, 1, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(1 + i % 250)));
	auto const message = big.message_to(5);
	CHECK(message.size() == peer_roster::entries_max * 7);
	CHECK(message != big.message_to(6));
	peer_roster roster;
	CHECK(roster.newly_named(message, false).size() == peer_roster::connections_wanted);
	for (std::uint64_t i = 0; i < peer_roster::connections_wanted; ++i)
		roster.add(i, v4(10, 2, 0, static_cast<std::uint8_t>(i)));
	roster.forget_tried();
	CHECK(roster.newly_named(message, false).empty());

	peer_roster flooded;
	std::size_t named = 0;
	for (std::uint32_t i = 0; i < peer_roster::tried_max * 2; ++i) {
		auto const where = v4(11, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
			static_cast<std::uint8_t>(i));
		named += flooded.newly_named(message_of({where}), false).size();
	}
	CHECK(named == peer_roster::tried_max);
}
