#include "actors/core/latency_histogram.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using ezio::latency_histogram;

TEST_CASE("an empty histogram summarizes to zeros")
{
	latency_histogram const h;
	auto const s = h.summarize();
	CHECK(s.count == 0);
	CHECK(s.p50_us == 0);
	CHECK(s.p99_us == 0);
	CHECK(s.max_us == 0);
}

TEST_CASE("a percentile is the upper bound of its bucket and the maximum is exact")
{
	latency_histogram h;
	for (int i = 0; i < 90; ++i)
		h.record(3us);
	for (int i = 0; i < 9; ++i)
		h.record(100us);
	h.record(1000us);
	auto const s = h.summarize();
	CHECK(s.count == 100);
	CHECK(s.p50_us == 4);
	CHECK(s.p95_us == 128);
	CHECK(s.p99_us == 128);
	CHECK(s.max_us == 1000);
}

TEST_CASE("one sample is every percentile, and none lies above the maximum")
{
	latency_histogram h;
	h.record(700us);
	auto const s = h.summarize();
	CHECK(s.p50_us == 700);
	CHECK(s.p95_us == 700);
	CHECK(s.p99_us == 700);
}

TEST_CASE("durations below a microsecond round up and negative ones count as zero")
{
	latency_histogram h;
	h.record(1ns);
	CHECK(h.summarize().max_us == 1);
	h.record(-5s);
	CHECK(h.summarize().count == 2);
	CHECK(h.summarize().max_us == 1);
}

TEST_CASE("hours land in the last bucket instead of beyond it")
{
	latency_histogram h;
	h.record(100h);
	CHECK(h.summarize().p50_us == 360'000'000'000u);
	CHECK(h.summarize().max_us == 360'000'000'000u);
}

TEST_CASE("a summary tells how many durations lie in each bucket, and their sum")
{
	latency_histogram h;
	h.record(8us);
	h.record(9us);
	h.record(100h);
	auto const s = h.summarize();
	CHECK(latency_histogram::upper_us(3) == 8);
	CHECK(s.counts[3] == 1);
	CHECK(s.counts[4] == 1);
	CHECK(s.counts.back() == 1);
	CHECK(s.total_ns == 360'000'000'017'000u);
}

TEST_CASE("a power of two belongs to the bucket it bounds")
{
	latency_histogram h;
	h.record(8us);
	h.record(9us);
	h.record(50us);
	CHECK(h.summarize().p50_us == 16);
	latency_histogram exact;
	exact.record(8us);
	exact.record(8us);
	exact.record(50us);
	CHECK(exact.summarize().p50_us == 8);
}
