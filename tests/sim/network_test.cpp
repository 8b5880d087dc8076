#include "tests/sim/model/network.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <map>

using namespace ezio::sim;

namespace
{

constexpr std::uint32_t chunk = 1000;

struct fixture {
	event_queue events;
	network net{events, chunk, 2};
	std::map<flow_id, std::uint32_t> arrived;

	link_id link(double chunks_per_s) { return net.add_link(chunks_per_s * chunk); }
	template <typename... Links>
	flow_id flow(std::uint32_t chunks, Links... links)
	{
		flow_id const id = net.add_flow(std::array<link_id, sizeof...(links)>{links...});
		net.offer(id, chunks);
		return id;
	}
	bool step()
	{
		if (events.is_empty()) {
			return false;
		}
		if (auto const id = net.on_link_done(events.next().a)) {
			++arrived[*id];
		}
		return true;
	}
	void run_until(double seconds)
	{
		while (events.now() < static_cast<sim_time>(seconds * second) && step()) {
		}
	}
	/// The share of @p whole chunks that the flow got by now.
	double share(flow_id id, double whole) { return arrived[id] / whole; }
};

} // namespace

TEST_CASE("events happen in order of time, and at one time in the order in which they were scheduled")
{
	event_queue events;
	events.schedule(5, event_kind::announce, 1);
	events.schedule(3, event_kind::announce, 2);
	events.schedule(5, event_kind::announce, 3);
	CHECK(events.next().a == 2);
	events.schedule(2, event_kind::announce, 4);
	CHECK(events.next().a == 1);
	CHECK(events.now() == 5);
	CHECK(events.next().a == 3);
	CHECK(events.next().a == 4);
	CHECK(events.is_empty());
}

TEST_CASE("no link carries more than its rate, and everything that is offered arrives")
{
	fixture f;
	std::array<double, 5> const rates{100, 30, 50, 200, 10};
	std::array<link_id, 5> links{};
	for (std::size_t i = 0; i < rates.size(); ++i) {
		links[i] = f.link(rates[i]);
	}
	std::array const flows{f.flow(300, links[0], links[2]), f.flow(200, links[0], links[3]),
		f.flow(100, links[1], links[4], links[2]), f.flow(50, links[1], links[3])};
	while (f.step()) {
		double const now = static_cast<double>(f.events.now()) / static_cast<double>(second);
		for (std::size_t i = 0; i < rates.size(); ++i) {
			REQUIRE(
				static_cast<double>(f.net.carried_bytes(links[i])) <= rates[i] * chunk * now + 0.01 * chunk);
		}
	}
	CHECK(f.arrived[flows[0]] == 300);
	CHECK(f.arrived[flows[1]] == 200);
	CHECK(f.arrived[flows[2]] == 100);
	CHECK(f.arrived[flows[3]] == 50);
	CHECK(f.net.carried_bytes(links[0]) == 500 * chunk);
	CHECK(f.net.carried_bytes(links[4]) == 100 * chunk);
}

TEST_CASE("a link is shared equally by those who send, and what one of them cannot use goes to the others")
{
	fixture f;
	link_id const sender = f.link(100);
	link_id const fast = f.link(100);
	link_id const busy = f.link(100);
	flow_id const free_one = f.flow(10000, sender, fast);
	flow_id const crowded = f.flow(10000, sender, busy);
	flow_id const second_one = f.flow(10000, f.link(100), busy);
	flow_id const third_one = f.flow(10000, f.link(100), busy);
	f.run_until(20);
	CHECK(f.share(crowded, 2000) == Approx(1.0 / 3).epsilon(0.05));
	CHECK(f.share(second_one, 2000) == Approx(1.0 / 3).epsilon(0.05));
	CHECK(f.share(third_one, 2000) == Approx(1.0 / 3).epsilon(0.05));
	CHECK(f.share(free_one, 2000) == Approx(2.0 / 3).epsilon(0.05));
}

TEST_CASE("the narrowest link of a route decides, wherever it lies")
{
	fixture f;
	link_id const uplink = f.link(40);
	link_id const other = f.link(1000);
	std::array const flows{f.flow(10000, f.link(100), uplink, other, f.link(100)),
		f.flow(10000, f.link(100), uplink, other, f.link(100)),
		f.flow(10000, f.link(100), other, f.link(100))};
	f.run_until(20);
	CHECK(f.share(flows[0], 2000) == Approx(0.2).epsilon(0.05));
	CHECK(f.share(flows[1], 2000) == Approx(0.2).epsilon(0.05));
	CHECK(f.share(flows[2], 2000) == Approx(1.0).epsilon(0.05));
}

TEST_CASE("what is withdrawn is not sent, and what is under way when a flow is closed reaches nobody")
{
	fixture f;
	link_id const from = f.link(100);
	flow_id const kept = f.flow(10, from, f.link(100));
	CHECK(f.net.under_way(kept) == 1);
	f.net.withdraw(kept, 6);
	flow_id const closed = f.flow(10, from, f.link(100));
	f.run_until(0.025);
	REQUIRE(f.net.under_way(closed) > 0);
	f.net.close(closed);
	std::uint32_t const before = f.arrived[closed];
	while (f.step()) {
	}
	CHECK(f.arrived[kept] == 4);
	CHECK(f.arrived[closed] == before);
}
