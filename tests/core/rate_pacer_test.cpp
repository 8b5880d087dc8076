#include "actors/core/rate_pacer.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;

/// Bytes that begin within @p time of asking every @p step, in portions.
std::uint64_t begun_within(rate_pacer &pacer, monotonic_time &now, std::chrono::milliseconds time,
	std::chrono::milliseconds step, std::uint64_t portion = mib)
{
	std::uint64_t begun = 0;
	for (auto const end = now + time; now < end; now += step) {
		while (begun < 1000 * mib && pacer.take(portion, now))
			begun += portion;
	}
	return begun;
}

} // namespace

TEST_CASE("a rate holds over time, to a portion and what a late timer may make up for")
{
	for (auto const step : {1ms, 10ms, 100ms, 240ms}) {
		rate_pacer pacer;
		monotonic_time now{1h};
		pacer.set({10 * mib}, now);
		auto const begun = begun_within(pacer, now, 20s, step);
		INFO("asked every " << step.count() << " ms");
		CHECK(begun >= 199 * mib);
		CHECK(begun <= 200 * mib + 5 * mib / 2 + mib);
	}
}

TEST_CASE("what was not used is not saved up")
{
	rate_pacer pacer;
	monotonic_time now{1h};
	pacer.set({10 * mib}, now);
	now += 1h;
	CHECK(begun_within(pacer, now, 1s, 10ms) <= 10 * mib + 5 * mib / 2 + mib);
}

TEST_CASE("a portion larger than a second's share begins, and the next waits for it")
{
	rate_pacer pacer;
	monotonic_time now{1h};
	pacer.set({mib}, now);
	CHECK(pacer.take(16 * mib, now));
	CHECK_FALSE(pacer.take(16 * mib, now + 15s));
	CHECK(pacer.next() > now + 15s);
	CHECK(pacer.take(16 * mib, pacer.next()));
}

TEST_CASE("no rate is no limit, and a new rate holds at once")
{
	rate_pacer pacer;
	monotonic_time now{1h};
	CHECK(begun_within(pacer, now, 10ms, 10ms) == 1000 * mib);
	pacer.set({1}, now);
	CHECK(pacer.take(mib, now)); // 12 days' worth
	CHECK_FALSE(pacer.take(mib, now + 1h));
	pacer.set({0}, now);
	CHECK(pacer.take(mib, now));
	pacer.set({mib}, now);
	CHECK(pacer.take(mib, now));
	CHECK_FALSE(pacer.take(mib, now));
}
