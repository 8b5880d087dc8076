#include "actors/core/lane_collector.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

void idle(std::uint32_t *, std::byte const *const *, std::size_t) {}

constexpr sha_kernel single{"single", "single", 1, idle, idle};
constexpr sha_kernel sixteen{"sixteen", "sixteen", 16, idle, idle};

constexpr std::uint64_t piece_bytes = 1024 * 1024;

/// Six pieces side by side are 1.5 times as fast as one by one.
struct fixture {
	hash_plan plan{{{&single, 2, 2}, {&sixteen, 8, 8}}};
	lane_collector collector{plan, {20ms, 16 * piece_bytes}};
	monotonic_time now{1h};

	void arrive(int pieces, std::chrono::microseconds apart)
	{
		for (int i = 0; i < pieces; ++i) {
			now += apart;
			collector.arrived(now);
		}
	}
};

} // namespace

TEST_CASE("waiting is worthwhile from as many pieces as make lanes half again as fast")
{
	CHECK(fixture().plan.worthwhile_pieces() == 6);
	CHECK(hash_plan({{&single, 2, 2}}).worthwhile_pieces() == 0);
	CHECK(hash_plan({{&single, 2, 2}, {&sixteen, 2.5, 2.5}}).worthwhile_pieces() == 0);
}

TEST_CASE_METHOD(fixture, "a lone piece and the first ones of a transfer do not wait")
{
	arrive(1, 1ms);
	CHECK(collector.begin(1, piece_bytes, now, now) == now);
	arrive(4, 1ms);
	CHECK(collector.begin(2, 2 * piece_bytes, now - 1ms, now) == now);
}

TEST_CASE_METHOD(fixture, "pieces that come fast wait for the end of the oldest one's window")
{
	arrive(10, 1ms);
	CHECK(collector.begin(2, 2 * piece_bytes, now - 1ms, now) == now + 19ms);
	CHECK(collector.begin(2, 2 * piece_bytes, now - 20ms, now) == now);
	CHECK(collector.begin(2, 2 * piece_bytes, now - 25ms, now) == now);
}

TEST_CASE_METHOD(fixture, "pieces that come too slowly to fill lanes do not wait, however many came before")
{
	arrive(100, 5ms);
	CHECK(collector.begin(1, piece_bytes, now, now) == now);
}

TEST_CASE_METHOD(fixture, "after a pause the first piece does not wait")
{
	arrive(50, 1ms);
	now += 1s;
	arrive(1, 0ms);
	CHECK(collector.begin(1, piece_bytes, now, now) == now);
}

TEST_CASE_METHOD(fixture, "full lanes and a full memory end the wait")
{
	arrive(30, 1ms);
	REQUIRE(collector.begin(15, 15, now, now) > now);
	CHECK(collector.begin(16, 16, now, now) == now);
	CHECK(collector.begin(4, 16 * piece_bytes, now, now) == now);
	CHECK(collector.begin(4, 16 * piece_bytes - 1, now, now) > now);
}

TEST_CASE_METHOD(fixture, "without a window nothing waits, and a new window counts at once")
{
	arrive(30, 1ms);
	collector.set_limits({0ms, 16 * piece_bytes});
	CHECK(collector.begin(2, 2, now, now) == now);
	collector.set_limits({7ms, 16 * piece_bytes});
	CHECK(collector.begin(2, 2, now, now) == now + 7ms);
}

TEST_CASE("a processor without lanes never waits")
{
	hash_plan const plan({{&single, 2, 2}});
	lane_collector collector(plan, {20ms, 16 * piece_bytes});
	monotonic_time now{1h};
	for (int i = 0; i < 40; ++i)
		collector.arrived(now += 1ms);
	CHECK(collector.begin(2, 2, now, now) == now);
}
