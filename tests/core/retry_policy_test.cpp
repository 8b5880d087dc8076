#include "actors/core/retry_policy.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <vector>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

error failing_with(int os_errno)
{
	return make_io_error("pwritev", "/dev/fake0", 0, 16384, os_errno);
}

struct course {
	retry_policy policy;
	monotonic_time now{1h};

	/// The waits of a series that never succeeds, each of which takes its time.
	std::vector<std::chrono::milliseconds> in_vain(retry_limits const &limits, int os_errno = EIO)
	{
		std::vector<std::chrono::milliseconds> waits;
		while (auto const wait = policy.failed(failing_with(os_errno), limits, now)) {
			waits.push_back(*wait);
			now += *wait;
		}
		return waits;
	}
};

} // namespace

TEST_CASE("each further attempt waits twice as long, up to the limit of attempts")
{
	course c;
	CHECK(c.in_vain({4, 100ms}) == std::vector<std::chrono::milliseconds>{100ms, 200ms, 400ms, 800ms});
}

TEST_CASE("no single wait is longer than the cap, however many there are")
{
	course c;
	auto const waits = c.in_vain({40, 3s});
	REQUIRE(waits.size() == 40);
	CHECK(waits[1] == 6s);
	CHECK(waits[2] == retry_delay_max);
	CHECK(waits.back() == retry_delay_max);
}

TEST_CASE("a limit of 0 makes every failure final")
{
	course c;
	CHECK(c.in_vain({0, 100ms}).empty());
}

TEST_CASE("only what can pass is tried again")
{
	for (auto const passing : {EAGAIN, EBUSY, ENOMEM, ENOBUFS, ETIMEDOUT, ENOLINK, EIO}) {
		INFO(errno_name(passing));
		CHECK(may_pass(failing_with(passing)));
		course c;
		CHECK(c.in_vain({1, 100ms}, passing).size() == 1);
	}
	// 0: the device ended before the transfer did.
	for (auto const final :
		{0, ENOSPC, EROFS, EPERM, EACCES, ENODEV, ENXIO, ENODATA, EREMOTEIO, EFBIG, EINVAL}) {
		INFO(errno_name(final));
		CHECK_FALSE(may_pass(failing_with(final)));
		course c;
		CHECK(c.in_vain({4, 100ms}, final).empty());
	}
}

TEST_CASE("a success begins the count anew")
{
	course c;
	retry_limits const limits{2, 100ms};
	CHECK(c.policy.failed(failing_with(EIO), limits, c.now) == 100ms);
	CHECK(c.policy.failed(failing_with(EIO), limits, c.now) == 200ms);
	c.policy.succeeded();
	CHECK(c.policy.failed(failing_with(EIO), limits, c.now) == 100ms);
}

TEST_CASE("after attempts in vain failures are final for ten times as long")
{
	course c;
	retry_limits const limits{3, 100ms};
	CHECK(c.in_vain(limits).size() == 3); // 700 ms
	auto const rested = c.now + 7s;
	CHECK(c.in_vain(limits).empty());
	c.policy.succeeded();
	c.now = rested - 1ms;
	CHECK(c.in_vain(limits).empty());
	c.now = rested;
	CHECK(c.in_vain(limits).size() == 3);
}

TEST_CASE("a final failure in the middle of a series ends it")
{
	course c;
	retry_limits const limits{3, 100ms};
	CHECK(c.policy.failed(failing_with(EIO), limits, c.now));
	CHECK_FALSE(c.policy.failed(failing_with(ENOSPC), limits, c.now));
	CHECK(c.policy.failed(failing_with(EIO), limits, c.now) == 100ms);
}
