#include "tests/sim/model/swarm.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace ezio::sim;

namespace
{

/// Quick to simulate.
scenario small(std::uint32_t nodes)
{
	scenario s;
	s.nodes = nodes;
	s.pieces = 60;
	s.chunk_kib = 256;
	return s;
}

outcome run(scenario const &s)
{
	return swarm(s).run();
}

std::string bytes(scenario const &s)
{
	return to_json_members(s) + to_json_members(run(s));
}

} // namespace

TEST_CASE("one node alone takes an image at its link's rate")
{
	scenario s = small(1);
	s.overhead = s.start_s = s.jitter_s = 0;
	s.queue_s = 10;
	outcome const o = run(s);
	CHECK(o.last_s > s.ideal_s());
	CHECK(o.efficiency > 0.97);
	CHECK(o.source_images == Approx(1));
	CHECK(o.received_images == Approx(1));
}

TEST_CASE("the same seed gives the same bytes, another seed others")
{
	scenario s = small(20);
	s.conns = 8;
	s.slots = s.source_slots = 3;
	s.kill = 0.2;
	CHECK(bytes(s) == bytes(s));
	scenario other = s;
	other.seed = 2;
	CHECK(to_json_members(run(s)) != to_json_members(run(other)));
}

TEST_CASE("any swarm finishes, and each node gets each byte once but for what is counted as duplicate")
{
	random_source random(Catch::rngSeed());
	for (int round = 0; round < 150; ++round) {
		scenario s = small(2 + random.below(30));
		s.seed = random.next() >> 40;
		s.pieces = 1 + random.below(80);
		s.chunk_kib = 1024 >> random.below(4);
		s.conns = 8 + random.below(40);
		s.source_conns = 1 + random.below(40);
		s.slots = random.below(5);
		s.source_slots = random.below(5);
		s.turn = random.below(3);
		s.rechoke_s = 0.5 + random.below(3);
		s.directed = random.below(2) != 0;
		s.whole = random.below(2) != 0;
		s.queue_s = random.below(4);
		s.window = 1 + random.below(4);
		s.rack = random.below(3) * 4;
		s.oversubscribed = 1 + random.below(5);
		s.local = random.below(3) * 0.2;
		s.prefer_rack = random.below(2) != 0;
		// A node that comes when all others are full finds no neighbour.
		s.late = s.nodes <= s.conns ? random.below(s.nodes / 2) : 0;
		s.slow = random.below(s.nodes / 2);
		INFO(to_json_members(s));
		outcome const o = run(s);
		REQUIRE(o.unfinished == 0);
		REQUIRE(o.efficiency > 0);
		REQUIRE(o.efficiency <= 1 - s.overhead);
		REQUIRE(o.received_images * (1 - o.duplicate_share) == Approx(s.nodes).epsilon(1e-9));
		REQUIRE(o.source_images <= o.received_images + 1e-9);
	}
}

TEST_CASE("a quarter of the nodes dies at half time, and all others finish")
{
	for (std::uint64_t seed = 1; seed <= 20; ++seed) {
		scenario s = small(24);
		s.seed = seed;
		s.kill = 0.25;
		s.conns = 8;
		s.slots = seed % 3;
		s.directed = seed % 2 != 0;
		outcome const o = run(s);
		CHECK(o.unfinished == 0);
		CHECK(o.received_images < 24);
		CHECK(o.received_images > 18);
	}
}

TEST_CASE("the source dies once the nodes have each piece, and all of them finish")
{
	for (std::uint64_t seed = 1; seed <= 20; ++seed) {
		scenario s = small(12);
		s.seed = seed;
		s.directed = true;
		outcome const with = run(s);
		s.lose_source = true;
		outcome const without = run(s);
		CHECK(without.unfinished == 0);
		CHECK(without.copy_out_s == with.copy_out_s);
		CHECK(without.source_images < with.source_images);
	}
}

TEST_CASE("a source that dies before leaves its nodes unfinished, and the roll-out is over all the same")
{
	scenario s = small(4);
	s.kill = 0.25;
	s.lose_source = true;
	s.pieces = 2;
	// The only node that is connected to the source may die with what nobody else has.
	s.source_conns = 1;
	std::uint32_t unfinished = 0;
	for (s.seed = 1; s.seed <= 40; ++s.seed) {
		outcome const o = run(s);
		unfinished += o.unfinished;
		CHECK((o.unfinished == 0) == (o.efficiency > 0));
	}
	CHECK(unfinished > 0);
}

TEST_CASE("a source that directs sends its first image with few repetitions")
{
	scenario s = small(8);
	outcome const plain = run(s);
	s.directed = true;
	outcome const directed = run(s);
	CHECK(directed.copy_out_s < plain.copy_out_s);
	CHECK(directed.last_s < plain.last_s);
	CHECK(directed.source_images < plain.source_images);
}

TEST_CASE("slow and late nodes are counted apart")
{
	scenario s = small(12);
	s.directed = true;
	s.slow = 1;
	s.late = 2;
	outcome const o = run(s);
	CHECK(o.slow_last_s > s.ideal_s() / s.slow_share);
	CHECK(o.late_last_s > s.ideal_s());
	CHECK(o.last_s < o.slow_last_s);
}

TEST_CASE("neighbours and pieces of the own rack keep bytes off its uplink")
{
	scenario s = small(32);
	s.rack = 8;
	s.oversubscribed = 8;
	s.conns = 12;
	s.directed = true;
	outcome const blind = run(s);
	s.local = 0.7;
	s.prefer_rack = true;
	outcome const aware = run(s);
	CHECK(aware.rack_in_images < blind.rack_in_images);
	CHECK(aware.rack_in_images > 0.99);
	CHECK(aware.last_s < blind.last_s);
	CHECK(blind.rack_in_images_max >= blind.rack_in_images);
}
