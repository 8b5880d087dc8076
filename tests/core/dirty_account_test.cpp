#include "actors/core/dirty_account.hpp"

#include "tests/support/manual_clock.hpp"
#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace ezio;
using namespace ezio::test;

namespace
{

using namespace std::chrono_literals;

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t ceiling = 256 * mib;

/// A network that always has more than the account lets in, over a device of a given speed.
struct slow_device {
	manual_clock clock;
	dirty_account account;
	bool is_waiting = false;

	slow_device()
	{
		account.set_ceiling(ceiling);
		account.measure(clock.now());
	}
	/// What the network has is taken until peers are told to wait.
	void receive()
	{
		while (!is_waiting) {
			account.received(block_bytes);
			if (!account.is_full())
				continue;
			account.waiting_began(clock.now());
			is_waiting = true;
		}
	}
	/// The end of a burst of completions, as the disk adapter ends it.
	void end_burst()
	{
		account.measure(clock.now());
		if (!is_waiting || !account.is_low())
			return;
		account.waiting_ended(clock.now());
		is_waiting = false;
	}
	void run(std::chrono::milliseconds time, std::uint64_t bytes_per_second)
	{
		constexpr auto step = 10ms;
		for (auto done = 0ms; done < time; done += step) {
			mark_max = std::max(mark_max, account.mark_bytes());
			receive();
			dirty_max = std::max(dirty_max, account.dirty_bytes());
			clock.advance(step);
			m_owed += bytes_per_second / 100;
			auto const blocks = std::min(m_owed, account.dirty_bytes()) / block_bytes;
			for (std::uint64_t i = 0; i < blocks; ++i)
				account.settled(block_bytes, true);
			written += blocks * block_bytes;
			m_owed = account.dirty_bytes() == 0 ? 0 : m_owed - blocks * block_bytes;
			end_burst();
		}
	}
	std::uint64_t written = 0;
	std::uint64_t dirty_max = 0;
	std::uint64_t mark_max = 0;

private:
	std::uint64_t m_owed = 0;
};

bool is_about(std::uint64_t bytes, std::uint64_t wanted)
{
	return bytes >= wanted * 8 / 10 && bytes <= wanted * 12 / 10;
}

} // namespace

TEST_CASE_METHOD(
	slow_device, "the mark settles at what the device drains in a second, and nothing is lost by it")
{
	auto const speed = GENERATE(8 * mib, 30 * mib, 100 * mib, 200 * mib);
	run(5s, speed);
	CHECK(is_about(account.mark_bytes(), speed));
	CHECK(is_about(account.stats()->drain_bytes_per_second, speed));
	// The device never ran dry.
	CHECK(written >= speed * 5 * 98 / 100);
	CHECK(dirty_max <= std::max(account.mark_bytes(), first_drain_bytes_per_second) * 12 / 10);
}

TEST_CASE_METHOD(slow_device, "a mark never leaves its floor and its ceiling")
{
	run(5s, mib);
	CHECK(account.mark_bytes() == dirty_floor_bytes);
	run(5s, 1000 * mib);
	CHECK(account.mark_bytes() == ceiling);
	// The ceiling wins, at once.
	account.set_ceiling(mib);
	CHECK(account.mark_bytes() == mib);
	CHECK(account.is_full() == (account.dirty_bytes() >= mib));
}

TEST_CASE_METHOD(slow_device, "a device that hangs has the smallest mark and its old one soon after")
{
	run(5s, 100 * mib);
	run(5s, 0);
	CHECK(account.mark_bytes() == dirty_floor_bytes);
	CHECK(account.dirty_bytes() <= 110 * mib);
	run(5s, 100 * mib);
	CHECK(is_about(account.mark_bytes(), 100 * mib));
}

TEST_CASE_METHOD(
	slow_device, "peers of a steady device are told to wait about twice a second, not at every block")
{
	run(3s, 40 * mib);
	auto const before = account.stats()->count.load();
	run(10s, 40 * mib);
	auto const episodes = account.stats()->count - before;
	CHECK(episodes >= 10);
	CHECK(episodes <= 30);
}

TEST_CASE_METHOD(slow_device, "a network that is slower than the device takes nothing from the mark")
{
	run(5s, 100 * mib);
	auto const mark = account.mark_bytes();
	while (account.dirty_bytes() > 0)
		account.settled(block_bytes, true);
	end_burst();
	for (int i = 0; i < 500; ++i) {
		account.received(block_bytes);
		clock.advance(10ms);
		account.settled(block_bytes, true);
		end_burst();
	}
	CHECK(account.mark_bytes() >= mark);
}

TEST_CASE_METHOD(slow_device, "a failed write says nothing of the speed")
{
	run(5s, 8 * mib);
	auto const mark = account.mark_bytes();
	receive();
	clock.advance(1ms);
	while (account.dirty_bytes() > 0)
		account.settled(block_bytes, false);
	clock.advance(200ms);
	end_burst();
	CHECK(account.mark_bytes() <= mark);
	CHECK(account.stats()->dirty_bytes == 0);
}

TEST_CASE("the time that peers waited is added up, and the present episode can be seen", "[dirty-account]")
{
	manual_clock clock;
	clock.advance(1s);
	dirty_account account;
	account.waiting_began(clock.now());
	CHECK(account.stats()->waited.is_busy());
	clock.advance(300ms);
	account.waiting_ended(clock.now());
	clock.advance(1s);
	account.waiting_began(clock.now());
	clock.advance(200ms);
	account.waiting_ended(clock.now());
	CHECK(account.stats()->count == 2);
	CHECK(account.stats()->waited.total_ns(clock.now()) == 500'000'000);
	CHECK_FALSE(account.stats()->waited.is_busy());
}

TEST_CASE_METHOD(
	slow_device, "under a speed that changes all the time dirty bytes stay below the marks", "[property]")
{
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	for (int round = 0; round < 200; ++round) {
		auto const owed = account.dirty_bytes();
		dirty_max = mark_max = 0;
		run(std::chrono::milliseconds(100), random() % 3 == 0 ? 0 : random() % (400 * mib));
		REQUIRE(account.mark_bytes() <= ceiling);
		REQUIRE(account.mark_bytes() >= dirty_floor_bytes);
		REQUIRE(dirty_max <= std::max(mark_max, owed) + block_bytes);
		REQUIRE(account.dirty_bytes() <= ceiling + block_bytes);
	}
}
