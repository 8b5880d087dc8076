#include "daemon/thread_turns.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <thread>

using namespace ezio;

namespace
{

/// sched_runtime of the calling thread as the kernel tells it; 0 where it knows none for normal threads.
std::uint64_t own_turn_ns()
{
	std::array<std::uint64_t, 6> attributes{};
	auto const failed = syscall(SYS_sched_getattr, 0, attributes.data(), sizeof(attributes), 0) != 0;
	return failed ? 0 : attributes[3];
}

} // namespace

TEST_CASE("short turns hold for the thread that asked and those that it starts, and leave its nice value")
{
	std::uint64_t before = 0, own = 0, started = 0;
	int nice_before = 0, nice_after = 0, reniced = 0;
	result<void> asked;
	// Not on the test's own thread, which would keep them.
	std::thread([&] {
		auto const self = static_cast<id_t>(gettid());
		before = own_turn_ns();
		nice_before = std::min(getpriority(PRIO_PROCESS, self) + 1, 19);
		reniced = setpriority(PRIO_PROCESS, self, nice_before);
		asked = ask_for_short_turns();
		own = own_turn_ns();
		nice_after = getpriority(PRIO_PROCESS, self);
		std::thread([&] { started = own_turn_ns(); }).join();
	}).join();
	REQUIRE(reniced == 0);
	REQUIRE(asked);
	CHECK(nice_after == nice_before);
	if (before == 0) {
		WARN("this kernel does not let a normal thread choose its turns");
		return;
	}
	auto const wanted = static_cast<std::uint64_t>(std::chrono::nanoseconds(thread_turn).count());
	CHECK(own == wanted);
	CHECK(started == wanted);
}
