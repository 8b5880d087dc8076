#include "daemon/thread_turns.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	REQUIRE(syscall(SYS_sched_getattr, 0, attributes.data(), sizeof(attributes), 0) == 0);
	return attributes[3];
}

} // namespace

TEST_CASE("short turns hold for the thread that asked and those that it starts, and leave its nice value")
{
	std::uint64_t before = 0, own = 0, started = 0;
	int nice_value = 0;
	// Not on the test's own thread, which would keep them.
	std::thread([&] {
		before = own_turn_ns();
		REQUIRE(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 3) == 0);
		REQUIRE(ask_for_short_turns());
		own = own_turn_ns();
		nice_value = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
		std::thread([&] { started = own_turn_ns(); }).join();
	}).join();
	CHECK(nice_value == 3);
	if (before == 0) {
		WARN("this kernel does not let a normal thread choose its turns");
		return;
	}
	auto const wanted = static_cast<std::uint64_t>(std::chrono::nanoseconds(thread_turn).count());
	CHECK(own == wanted);
	CHECK(started == wanted);
}
