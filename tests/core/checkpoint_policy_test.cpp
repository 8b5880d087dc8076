#include "actors/core/checkpoint_policy.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

constexpr monotonic_time start{1h};
constexpr checkpoint_limits limits{30s, 1000};

} // namespace

TEST_CASE("a checkpoint is due after the interval, if anything is new")
{
	checkpoint_policy policy(start);
	CHECK_FALSE(policy.is_due(limits, start + 60s, 0));
	CHECK_FALSE(policy.is_due(limits, start + 29s, 10));
	CHECK(policy.is_due(limits, start + 30s, 10));
	policy.begun(start + 30s, 10);
	CHECK_FALSE(policy.is_due(limits, start + 90s, 10));
	CHECK_FALSE(policy.is_due(limits, start + 59s, 11));
	CHECK(policy.is_due(limits, start + 60s, 11));
}

TEST_CASE("a checkpoint is due after so many bytes, however soon")
{
	checkpoint_policy policy(start);
	CHECK_FALSE(policy.is_due(limits, start, 999));
	CHECK(policy.is_due(limits, start, 1000));
	policy.begun(start, 1200);
	CHECK_FALSE(policy.is_due(limits, start, 2199));
	CHECK(policy.is_due(limits, start, 2200));
}

TEST_CASE("either limit can be switched off, and both")
{
	checkpoint_policy const policy(start);
	CHECK_FALSE(policy.is_due({0s, 1000}, start + 24h, 999));
	CHECK(policy.is_due({0s, 1000}, start, 1000));
	CHECK_FALSE(policy.is_due({30s, 0}, start, 1'000'000));
	CHECK(policy.is_due({30s, 0}, start + 30s, 1));
	CHECK_FALSE(policy.is_due({0s, 0}, start + 24h, 1'000'000));
}
