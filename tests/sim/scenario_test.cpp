#include "tests/sim/model/scenario.hpp"

#include <catch2/catch.hpp>

using namespace ezio::sim;

TEST_CASE("a scenario is made of keys and values")
{
	scenario s;
	CHECK_FALSE(assign(s, "nodes=16"));
	CHECK_FALSE(assign(s, "mbit=62.5"));
	CHECK_FALSE(assign(s, "directed=1"));
	CHECK(s.nodes == 16);
	CHECK(s.mbit == 62.5);
	CHECK(s.directed);
	CHECK(to_json_members(s).find("\"nodes\": 16, \"mbit\": 62.5") != std::string::npos);
	CHECK(describe_keys().find("  nodes           8 ") != std::string::npos);
}

TEST_CASE("what is no key, no number or out of range is refused and changes nothing")
{
	scenario s;
	for (auto const *argument : {"nodes", "nodes=", "nodes=0", "nodes=1.5", "nodes=8x", "nodes=-1",
			 "nodes=nan", "node=8", "=8", "directed=2", "mbit=0", "mbit=inf"}) {
		INFO(argument);
		auto const fault = assign(s, argument);
		REQUIRE(fault);
		CHECK(fault->find(argument) == 0);
	}
	CHECK(to_json_members(s) == to_json_members(scenario{}));
}

TEST_CASE("a scenario whose values do not fit each other is refused")
{
	scenario s;
	CHECK_FALSE(find_fault(s));
	s.chunk_kib = 48;
	CHECK(find_fault(s));
	s.chunk_kib = 64;
	s.late = 4;
	s.slow = 4;
	CHECK(find_fault(s));
	s.slow = 3;
	CHECK_FALSE(find_fault(s));
}
