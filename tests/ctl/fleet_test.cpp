#include "ctl/fleet_client.hpp"
#include "ctl/run.hpp"
#include "tests/ctl/fake_fleet.hpp"
#include "tests/ctl/run_line.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <set>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;
using namespace std::chrono_literals;
using nlohmann::json;

namespace
{

json torrent(char const *state, std::size_t done, json more = json::object())
{
	auto const is_synced = done == 1000;
	json t{{"info_hash", std::string(40, 'a')}, {"name", "disk"}, {"target", "/dev/x"}, {"state", state},
		{"seed", false}, {"synced", is_synced}, {"verified", false}, {"size_bytes", 1000},
		{"done_bytes", done}, {"down_rate", is_synced ? 0 : 5}, {"up_rate", 0}, {"pieces_total", 1000},
		{"pieces_done", done}, {"progress", static_cast<double>(done) / 1000},
		{"eta_seconds", is_synced ? json() : json(1000 - done)}, {"error", nullptr}, {"bad_pieces", nullptr}};
	t.update(more);
	return {{"torrents", {t}}, {"totals", json::object()}};
}

json broken(errc code)
{
	auto e = make_error(code, "");
	e.operation = "pwritev";
	e.device = "/dev/x";
	e.os_errno = 5;
	return torrent("error", 3, {{"error", wire::error_to_json(e)}});
}

} // namespace

TEST_CASE("200 nodes in every condition: one row each, none waits for another")
{
	// Node 7 stays silent, 8 is broken, 9 has nothing; the rest is somewhere between 10 and 199 of 1000, from
	// 100 on done.
	fake_fleet const fleet(200, [](std::size_t i, auto, auto const &) -> std::optional<result<json>> {
		if (i == 7)
			return std::nullopt;
		if (i == 8)
			return result<json>(broken(errc::io_error));
		if (i == 9)
			return result<json>(json{{"torrents", json::array()}, {"totals", json::object()}});
		return result<json>(i < 100 ? torrent("downloading", i) : torrent("seeding", 1000));
	});
	auto const o = run_line({"fleet", "status", "--json", "--timeout", "3", "--nodes",
		fleet.nodes_file("gone ipc:///nonexistent/socket\nrefused tcp://127.0.0.1:1\n")});
	CHECK(o.status == 4);
	auto const document = json::parse(o.out);
	CHECK(document["schema"] == 1);
	CHECK(document["exit_status"] == 4);
	auto const &nodes = document["nodes"];
	REQUIRE(nodes.size() == 202);
	CHECK(nodes[0]["name"] == "n008");
	CHECK(nodes[0]["error"]["context"]["errno_name"] == "EIO");
	CHECK(nodes[1]["name"] == "gone");
	CHECK(nodes[1]["error"]["context"]["errno_name"] == "ENOENT");
	CHECK(nodes[2]["name"] == "refused");
	CHECK(nodes[2]["error"]["context"]["errno_name"] == "ECONNREFUSED");
	CHECK(nodes[3]["name"] == "n007");
	CHECK(nodes[3]["exit_status"] == 6);
	CHECK(nodes[4]["name"] == "n009");
	CHECK(nodes[4]["standing"] == "empty");
	CHECK(nodes[5]["name"] == "n000");
	CHECK(nodes[6]["name"] == "n001");
	std::set<std::string> names;
	for (auto const &node : nodes) {
		names.insert(node["name"].get<std::string>());
		if (node["standing"] == "active")
			CHECK(node["done_bytes"].get<std::size_t>() ==
				std::stoul(node["name"].get<std::string>().substr(1)));
	}
	CHECK(names.size() == 202);
	auto const &totals = document["totals"];
	CHECK(totals["standings"] ==
		json{{"failed", 1}, {"unreachable", 3}, {"asking", 0}, {"empty", 1}, {"paused", 0}, {"active", 97},
			{"done", 100}});
	CHECK(totals["eta_seconds"] == 1000);
	CHECK(totals["down_rate"] == 98 * 5);
}

TEST_CASE("a fleet that is all there and well has exit status 0")
{
	fake_fleet const fleet(3, [](std::size_t, auto verb, json const &args) {
		if (verb != "status" || args != json{{"selectors", {"disk"}}})
			return result<json>(make_error(errc::internal, "unexpected request"));
		return result<json>(torrent("downloading", 500));
	});
	auto const o = run_line({"fleet", "status", "disk", "--nodes", fleet.nodes_file()});
	CHECK(o.status == 0);
	CHECK(o.err.empty());
	CHECK(o.out.find("n002  downloading    50.0 %") != std::string::npos);
	CHECK(o.out.find("3 nodes: 3 active; 1.5 KiB of 2.9 KiB; down 15 B/s; last done in 8 min 20 s\n") !=
		std::string::npos);
}

TEST_CASE("fleet wait ends when the last node is there, also if others have gone meanwhile")
{
	std::array<std::atomic<int>, 3> looks{};
	fake_fleet const fleet(3, [&](std::size_t i, auto, auto const &) -> std::optional<result<json>> {
		auto const look = ++looks[i];
		if (i == 0)
			return look == 1 ? std::optional<result<json>>(torrent("seeding", 1000)) : std::nullopt;
		return result<json>(
			look > static_cast<int>(i) ? torrent("finished", 1000) : torrent("downloading", 10));
	});
	auto const o = run_line(
		{"fleet", "wait", "--for", "synced", "--json", "--timeout", "60", "--nodes", fleet.nodes_file()});
	CHECK(o.status == 0);
	CHECK(o.err.empty());
	auto const document = json::parse(o.out);
	CHECK(document["reached"] == true);
	CHECK(document["condition"] == "synced");
	CHECK(document["verdicts"]["n002"] == json{{"reached", true}, {"error", nullptr}});
	CHECK(looks[0] == 1);
	CHECK(looks[2] == 3);
}

TEST_CASE("fleet wait goes on for the others when one node fails, and then says which did")
{
	std::atomic<int> looks{0};
	fake_fleet const fleet(2, [&](std::size_t i, auto, auto const &) {
		if (i == 1)
			return result<json>(broken(errc::integrity));
		return result<json>(++looks < 3 ? torrent("downloading", 10) : torrent("finished", 1000));
	});
	auto const nodes = fleet.nodes_file("off ipc:///nonexistent/socket\n");
	auto const o = run_line({"fleet", "wait", "--for", "synced", "--grace", "0.1", "--nodes", nodes});
	CHECK(o.status == 5);
	CHECK(looks == 3);
	CHECK(o.err.find("ezioctl: n001: pwritev /dev/x: EIO") != std::string::npos);
	CHECK(o.err.find("ezioctl: off: no daemon at") != std::string::npos);
	CHECK(o.err.find("n000") == std::string::npos);
	CHECK(o.out.find("3 nodes: 1 failed, 1 unreachable, 1 done") != std::string::npos);
}

TEST_CASE("fleet wait out of time is status 6 and names the nodes that were not there")
{
	fake_fleet const fleet(2, [](std::size_t i, auto, auto const &) {
		return result<json>(i == 0 ? torrent("finished", 1000) : torrent("downloading", 10));
	});
	auto const o =
		run_line({"fleet", "wait", "--for", "synced", "--timeout", "0.5", "--nodes", fleet.nodes_file()});
	CHECK(o.status == 6);
	CHECK(o.err == "ezioctl: n001: not synced in time\n");
}

TEST_CASE("a signal ends fleet wait")
{
	std::atomic<bool> interrupted{false};
	fake_fleet const fleet(2, [&](std::size_t, auto, auto const &) {
		interrupted = true;
		return result<json>(torrent("downloading", 10));
	});
	CHECK(
		run_line({"fleet", "wait", "--for", "synced", "--nodes", fleet.nodes_file()}, no_daemon, &interrupted)
			.status == 8);
}

TEST_CASE("a node that comes back is asked on a new connection")
{
	static std::atomic<bool> const never{false};
	auto const ask = [](fleet_client &client) {
		client.ask(0, "ping", json::object(), clock::now() + 20s);
		auto answers = client.next(clock::now() + 30s);
		REQUIRE(answers);
		REQUIRE(answers->size() == 1);
		return std::move(answers->front().what);
	};
	auto const pong = [](auto, auto const &) { return result<json>(json{{"pong", true}}); };
	scratch_dir const directory;
	auto const endpoint = "ipc://" + directory.path("control");
	auto first = std::make_unique<fake_daemon>(pong, fake_daemon::event_source(), true, endpoint);
	auto client = fleet_client::open({{"a", {endpoint, {}, {}}}}, never);
	REQUIRE(client);
	CHECK(ask(*client));
	CHECK(ask(*client));
	first.reset();
	auto const gone = ask(*client);
	REQUIRE_FALSE(gone);
	CHECK(gone.failure().code == errc::unreachable);
	fake_daemon const second(pong, {}, true, endpoint);
	CHECK(ask(*client));
}

TEST_CASE("a command line for a fleet that cannot be right is a usage error before anyone is asked")
{
	CHECK(run_line({"fleet"}).status == 2);
	CHECK(run_line({"fleet", "status"}).status == 2);
	CHECK(run_line({"fleet", "stop", "--nodes", "a"}).status == 2);
	CHECK(run_line({"fleet", "top", "--nodes", "a"}).status == 2);
	CHECK(run_line({"fleet", "wait", "--nodes", "a"}).status == 2);
	CHECK(run_line({"fleet", "wait", "--nodes", "a", "--for", "coffee"}).status == 2);
	CHECK(run_line({"fleet", "wait", "--nodes", "a", "--for", "idle", "--grace", "x"}).status == 2);
	CHECK(run_line({"fleet", "status", "--nodes", "no/such/file"}).status == 1);
	auto const keyless = run_line({"fleet", "status", "--nodes", "127.0.0.1:1", "--key", "/nonexistent"});
	CHECK(keyless.status == 2);
	CHECK(keyless.err.find("node 127.0.0.1:1: ") != std::string::npos);
}

TEST_CASE("a host whose name cannot be found is unreachable, with the resolver's words")
{
	auto const o =
		run_line({"fleet", "status", "--json", "--nodes", "no.such.host.invalid", "--timeout", "60"});
	CHECK(o.status == 7);
	auto const document = json::parse(o.out);
	CHECK(document["nodes"][0]["standing"] == "unreachable");
	CHECK(document["nodes"][0]["error"]["message"].get<std::string>().find("no.such.host.invalid") == 0);
}
