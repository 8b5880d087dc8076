#include "actors/core/rate_policy.hpp"
#include "actors/core/rate_ramp.hpp"
#include "actors/core/transfer_order.hpp"
#include "tests/support/manual_clock.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;
constexpr ramp_plan plan{10 * mib, 5 * mib, 1000ms, 22 * mib};

using candidates = std::vector<transfer_order::candidate>;

transfer_order::candidate wanting(std::string name, std::uint64_t size, std::uint64_t received = 0,
	torrent_priority priority = torrent_priority::normal)
{
	return {std::move(name), priority, size, received, true};
}

torrent_row row(std::string hash, torrent_state state = torrent_state::downloading)
{
	torrent_row r;
	r.info_hash = std::move(hash);
	r.state = state;
	r.size_bytes = 100 * mib;
	return r;
}

std::string told(rate_actions const &actions)
{
	std::string text;
	for (auto const &setting : actions.settings)
		text += setting.key + "=" + setting.value + " ";
	for (auto const &[hash, limits] : actions.torrents)
		text += hash + ":" + std::to_string(limits.up) + "/" + std::to_string(limits.down) + " ";
	return text;
}

void set(rate_policy &policy, char const *key, char const *value)
{
	REQUIRE(rate_policy::owns({key, value, false}));
	REQUIRE(policy.set({key, value, false}));
}

} // namespace

TEST_CASE("without a plan there is no ceiling")
{
	rate_ramp ramp;
	test::manual_clock clock;
	ramp.observe(clock.now(), 1);
	CHECK_FALSE(ramp.ceiling(clock.now()));
}

TEST_CASE("a slow start waits for the first byte, rises by steps and is gone at its end")
{
	rate_ramp ramp;
	test::manual_clock clock;
	ramp.set_plan(plan);
	ramp.observe(clock.now(), 0);
	clock.advance(1h);
	ramp.observe(clock.now(), 0);
	CHECK(ramp.ceiling(clock.now()) == 10 * mib);
	ramp.observe(clock.now(), 1);
	CHECK(ramp.ceiling(clock.now()) == 10 * mib);
	clock.advance(999ms);
	CHECK(ramp.ceiling(clock.now()) == 10 * mib);
	clock.advance(1ms);
	CHECK(ramp.ceiling(clock.now()) == 15 * mib);
	clock.advance(1s);
	CHECK(ramp.ceiling(clock.now()) == 20 * mib);
	clock.advance(1s);
	CHECK_FALSE(ramp.ceiling(clock.now()));
	ramp.observe(clock.now(), 2);
	ramp.set_plan({1 * mib, 1, 1000ms, 100 * mib});
	CHECK_FALSE(ramp.ceiling(clock.now()));
}

TEST_CASE("after idle time the next start is slow again, also if a torrent was removed meanwhile")
{
	rate_ramp ramp;
	test::manual_clock clock;
	ramp.set_plan(plan);
	ramp.observe(clock.now(), 1000);
	clock.advance(10s);
	ramp.observe(clock.now(), 2000);
	CHECK_FALSE(ramp.ceiling(clock.now()));
	clock.advance(29s);
	ramp.observe(clock.now(), 500);
	CHECK_FALSE(ramp.ceiling(clock.now()));
	clock.advance(1s);
	ramp.observe(clock.now(), 500);
	CHECK(ramp.ceiling(clock.now()) == 10 * mib);
	ramp.observe(clock.now(), 501);
	clock.advance(1s);
	CHECK(ramp.ceiling(clock.now()) == 15 * mib);
}

TEST_CASE("a slow start that would not rise, or begins above its end, ends neither late nor never")
{
	rate_ramp ramp;
	test::manual_clock clock;
	ramp.set_plan({10 * mib, 5 * mib, 1000ms, 10 * mib});
	ramp.observe(clock.now(), 1);
	CHECK_FALSE(ramp.ceiling(clock.now()));
	ramp.set_plan({10 * mib, 5 * mib, 0ms, 11 * mib});
	clock.advance(2ms);
	CHECK_FALSE(ramp.ceiling(clock.now()));
}

TEST_CASE("torrents of one priority download together unless the smallest shall be first")
{
	transfer_order order;
	test::manual_clock clock;
	candidates const torrents{wanting("big", 30), wanting("small", 10), wanting("middle", 20)};
	CHECK(order.held(torrents, clock.now()).empty());
	order.set_kind(transfer_order::kind::small_first);
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"big", "middle"});
}

TEST_CASE("a higher priority goes first, whatever the size")
{
	transfer_order order;
	test::manual_clock clock;
	candidates torrents{wanting("a", 1), wanting("b", 30, 0, torrent_priority::high),
		wanting("c", 20, 0, torrent_priority::high), wanting("d", 1, 0, torrent_priority::low)};
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"a", "d"});
	order.set_kind(transfer_order::kind::small_first);
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"a", "b", "d"});
	torrents[2].wants_data = false;
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"a", "d"});
	torrents[1].wants_data = false;
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"d"});
	torrents[0].wants_data = false;
	CHECK(order.held(torrents, clock.now()).empty());
}

TEST_CASE("who receives nothing for a while holds nobody, until it does")
{
	transfer_order order;
	order.set_kind(transfer_order::kind::small_first);
	test::manual_clock clock;
	candidates torrents{wanting("1", 1), wanting("2", 2), wanting("3", 3)};
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"2", "3"});
	clock.advance(5s);
	// What trickles in while it is held is no sign of life.
	torrents[2].received_bytes = 16;
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"3"});
	clock.advance(4s);
	torrents[1].received_bytes = 100;
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"3"});
	clock.advance(4s);
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"3"});
	torrents[0].received_bytes = 1;
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"2", "3"});
	// Let go, each gets its time again.
	clock.advance(5s);
	CHECK(order.held(torrents, clock.now()) == std::set<std::string>{"3"});
	clock.advance(5s);
	CHECK(order.held(torrents, clock.now()).empty());
}

TEST_CASE("no limit is told where none is set and nothing waits")
{
	rate_policy policy;
	test::manual_clock clock;
	CHECK(told(policy.decide({row("a"), row("b")}, clock.now())).empty());
	CHECK_FALSE(policy.ceiling());
}

TEST_CASE("limits are told when they change, once, and that there is none any more")
{
	rate_policy policy;
	test::manual_clock clock;
	set(policy, "upload-limit", "100");
	CHECK(told(policy.decide({}, clock.now())) == "upload-limit=100 ");
	CHECK(told(policy.decide({}, clock.now())).empty());
	auto limited = row("a");
	limited.limits = {7, 8};
	CHECK(told(policy.decide({limited}, clock.now())) == "a:7/8 ");
	CHECK(told(policy.decide({limited}, clock.now())).empty());
	limited.limits = {};
	set(policy, "upload-limit", "0");
	CHECK(told(policy.decide({limited}, clock.now())) == "upload-limit=0 a:0/0 ");
}

TEST_CASE("a torrent that was removed and comes again is told its limits again")
{
	rate_policy policy;
	test::manual_clock clock;
	auto limited = row("a");
	limited.limits = {0, 8};
	CHECK(told(policy.decide({limited}, clock.now())) == "a:0/8 ");
	CHECK(told(policy.decide({}, clock.now())).empty());
	CHECK(told(policy.decide({limited}, clock.now())) == "a:0/8 ");
}

TEST_CASE("a slow start lowers both directions and gives way to the limits")
{
	rate_policy policy;
	test::manual_clock clock;
	set(policy, "download-limit", "15360");
	set(policy, "slow-start", "10240");
	set(policy, "slow-start-step", "5120");
	set(policy, "slow-start-period", "1000");
	set(policy, "slow-start-end", "22528");
	CHECK(told(policy.decide({}, clock.now())) == "upload-limit=10240 download-limit=10240 ");
	auto moving = row("a");
	moving.uploaded_bytes = 1;
	CHECK(told(policy.decide({moving}, clock.now())).empty());
	clock.advance(2s);
	CHECK(told(policy.decide({moving}, clock.now())) == "upload-limit=20480 download-limit=15360 ");
	CHECK(policy.ceiling() == 20 * mib);
	clock.advance(1s);
	moving.uploaded_bytes = 2;
	CHECK(told(policy.decide({moving}, clock.now())) == "upload-limit=0 ");
	CHECK_FALSE(policy.ceiling());
}

TEST_CASE("a held torrent trickles, within its own limit, and gets that back")
{
	rate_policy policy;
	test::manual_clock clock;
	auto first = row("a");
	first.priority = torrent_priority::high;
	auto second = row("b");
	second.limits = {5, 500 * mib};
	auto third = row("c");
	third.limits = {0, 100};
	CHECK(told(policy.decide({first, second, third}, clock.now())) == "b:5/16384 c:0/100 ");
	CHECK(policy.is_held("b"));
	CHECK_FALSE(policy.is_held("a"));
	first.state = torrent_state::seeding;
	CHECK(told(policy.decide({first, second, third}, clock.now())) == "b:5/524288000 ");
	CHECK_FALSE(policy.is_held("b"));
}

TEST_CASE("the policy owns its settings and no others, and refuses what is no number")
{
	CHECK_FALSE(rate_policy::owns({"max-uploads", "3", false}));
	CHECK_FALSE(rate_policy::owns({"upload-limit", "3", true}));
	rate_policy policy;
	auto const refused = policy.set({"upload-limit", "fast", false});
	REQUIRE_FALSE(refused);
	CHECK(refused.failure().code == errc::out_of_range);
	CHECK_FALSE(policy.set({"max-uploads", "3", false}));
}
