#include "actors/core/tick_schedule.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

TEST_CASE("a reminder that is on its way serves what is due later", "[tick-schedule]")
{
	monotonic_time const start{};
	tick_schedule ticks;
	CHECK(ticks.add(start + std::chrono::milliseconds(150)));
	CHECK_FALSE(ticks.add(start + std::chrono::milliseconds(150)));
	CHECK_FALSE(ticks.add(start + std::chrono::milliseconds(200)));
	CHECK(ticks.add(start + std::chrono::milliseconds(5)));
	CHECK(ticks.on_their_way() == 2);
}

TEST_CASE("what comes up in between leaves no reminders behind", "[tick-schedule]")
{
	auto now = monotonic_time{};
	tick_schedule ticks;
	auto late = now + std::chrono::milliseconds(150);
	CHECK(ticks.add(late));
	for (int i = 0; i < 1000; ++i) {
		now += std::chrono::milliseconds(1);
		if (now == late) {
			ticks.arrived();
			late += std::chrono::milliseconds(150);
			CHECK(ticks.add(late));
		}
		CHECK(ticks.add(now));
		ticks.arrived();
		CHECK_FALSE(ticks.add(late));
	}
	CHECK(ticks.on_their_way() == 1);
}
