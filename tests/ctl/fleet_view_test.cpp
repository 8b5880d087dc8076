#include "ctl/fleet_view.hpp"
#include "ctl/fleet_wait.hpp"
#include "ctl/render_fleet.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;
using namespace std::chrono_literals;
using wire::exit_status;

namespace
{

torrent_view make(std::string state, std::uint64_t size = 100, double progress = 0.5)
{
	torrent_view t;
	t.info_hash = "aa";
	t.name = "disk";
	t.target = "/dev/x";
	t.is_synced = state == "finished" || state == "seeding";
	t.pieces_total = 10;
	t.pieces_done = t.is_synced ? 10 : 5;
	t.size_bytes = size;
	t.progress = t.is_synced ? 1 : progress;
	t.done_bytes = static_cast<std::uint64_t>(t.progress * static_cast<double>(size));
	t.state = std::move(state);
	return t;
}

torrent_view make_failed(errc code)
{
	auto t = make("error");
	t.failure = make_error(code, "bad");
	return t;
}

node_facts node(std::string name, std::vector<torrent_view> torrents)
{
	node_facts facts;
	facts.name = std::move(name);
	facts.endpoint = "ipc:///" + facts.name;
	facts.is_answered = true;
	facts.list.torrents = std::move(torrents);
	return facts;
}

node_facts silent(std::string name, errc code)
{
	auto facts = node(std::move(name), {});
	facts.is_answered = false;
	facts.failure = make_error(code, "no answer");
	return facts;
}

std::vector<node_row> rows_of(std::vector<node_facts> const &nodes)
{
	std::vector<node_row> rows;
	for (auto const &each : nodes)
		rows.push_back(make_node_row(each));
	return rows;
}

std::string order_of(std::vector<node_facts> const &nodes)
{
	auto const rows = rows_of(nodes);
	std::string names;
	for (auto const index : worst_first(rows))
		names += rows[index].name;
	return names;
}

clock::time_point at(int seconds)
{
	return clock::time_point{} + 1h + std::chrono::seconds(seconds);
}

torrent_list list(std::vector<torrent_view> torrents)
{
	return {std::move(torrents), {}};
}

} // namespace

TEST_CASE("a node stands as its worst torrent does")
{
	CHECK(make_node_row(node("a", {make("seeding"), make("downloading")})).state == "downloading");
	CHECK(make_node_row(node("a", {make("syncing"), make("paused")})).standing == node_standing::paused);
	CHECK(make_node_row(node("a", {make("seeding"), make("finished")})).standing == node_standing::done);
	CHECK(make_node_row(node("a", {make("future-state")})).standing == node_standing::active);
	CHECK(make_node_row(node("a", {})).state == "empty");
	auto unsynced = make("finished");
	unsynced.is_synced = false;
	CHECK(make_node_row(node("a", {unsynced})).standing == node_standing::active);
}

TEST_CASE("a node sums its torrents up, progress by size and eta by the last")
{
	auto slow = make("downloading", 300, 0.5);
	slow.eta_seconds = 70;
	slow.down_rate = 3;
	auto quick = make("downloading", 100, 0.1);
	quick.eta_seconds = 9;
	quick.down_rate = 4;
	auto const row = make_node_row(node("a", {slow, quick, make("seeding", 600)}));
	CHECK(row.size_bytes == 1000);
	CHECK(row.done_bytes == 760);
	CHECK(row.progress == Approx(0.76));
	CHECK(row.down_rate == 7);
	CHECK(row.eta_seconds == 70u);
	quick.eta_seconds.reset();
	CHECK_FALSE(make_node_row(node("a", {slow, quick})).eta_seconds);
}

TEST_CASE("the error shown of a node is its worst, with that error's exit status")
{
	auto const row = make_node_row(node("a",
		{make("seeding"), make_failed(errc::integrity), make_failed(errc::io_error),
			make_failed(errc::no_memory)}));
	CHECK(row.standing == node_standing::failed);
	CHECK(row.status == exit_status::io);
	REQUIRE(row.failure);
	CHECK(row.failure->code == errc::io_error);
}

TEST_CASE("a node that does not answer keeps what it told last, but moves nothing")
{
	auto facts = node("a", {make("downloading", 100, 0.5)});
	facts.list.torrents[0].down_rate = 9;
	facts.failure = make_error(errc::unreachable, "no daemon");
	auto const row = make_node_row(facts);
	CHECK(row.standing == node_standing::unreachable);
	CHECK(row.state == "unreachable");
	CHECK(row.progress == Approx(0.5));
	CHECK(row.down_rate == 0);
	CHECK_FALSE(row.eta_seconds);
	CHECK(row.status == exit_status::unreachable);
	CHECK(make_node_row(silent("a", errc::timed_out)).status == exit_status::timed_out);
	CHECK(make_node_row(silent("a", errc::denied)).status == exit_status::unreachable);
	CHECK(make_node_row(silent("a", errc::ambiguous)).standing == node_standing::failed);
	CHECK(make_node_row(silent("a", errc::not_found)).standing == node_standing::empty);
	CHECK(make_node_row(silent("a", errc::not_found)).status == exit_status::done);
}

TEST_CASE("the worst node comes first, and of those that go on, who will be last")
{
	auto soon = make("downloading");
	soon.eta_seconds = 5;
	auto late = make("downloading");
	late.eta_seconds = 500;
	CHECK(order_of({node("d", {make("seeding")}), node("s", {soon}), node("x", {make("downloading")}),
			  node("l", {late}), node("p", {make("paused")}), node("0", {}), silent("u", errc::unreachable),
			  silent("t", errc::timed_out), node("i", {make_failed(errc::integrity)}),
			  node("e", {make_failed(errc::io_error)})}) == "eiut0pxlsd");
	CHECK(order_of({node("b", {make("seeding")}), node("a", {make("seeding")})}) == "ab");
}

TEST_CASE("totals count nodes, leave sources out of what is to be done, and know the last")
{
	auto source = make("seeding", 100);
	source.is_seed = true;
	source.uploaded_bytes = 150;
	source.up_rate = 7;
	auto moving = make("downloading", 100, 0.5);
	moving.eta_seconds = 60;
	std::vector<node_facts> nodes{node("s", {source}), node("a", {moving}), node("b", {make("seeding")}),
		silent("u", errc::unreachable)};
	auto const rows = rows_of(nodes);
	CHECK(rows[0].is_source);
	auto const totals = sum_up(nodes, rows);
	CHECK(totals.nodes == 4);
	CHECK(totals.count(node_standing::done) == 2);
	CHECK(totals.count(node_standing::active) == 1);
	CHECK(totals.count(node_standing::failed) == 0);
	CHECK(totals.size_bytes == 200);
	CHECK(totals.done_bytes == 150);
	CHECK(totals.eta_seconds == 60u);
	CHECK(totals.source_uploaded_bytes == 150);
	CHECK(totals.source_size_bytes == 100);
	CHECK(totals.status == exit_status::unreachable);
	CHECK(render_fleet_totals(totals) ==
		"4 nodes: 1 unreachable, 1 active, 2 done; 150 B of 200 B; down -; last done in 1 min 00 s; sources "
		"sent 150 B, 1.50 images, at 7 B/s\n");
	nodes.push_back(node("c", {make("downloading")}));
	CHECK_FALSE(sum_up(nodes, rows_of(nodes)).eta_seconds);
}

TEST_CASE("the exit status of a fleet is the worst in the order 4, 5, 3, 1, 7, 6, 0")
{
	std::vector<exit_status> const from_worst{exit_status::io, exit_status::integrity, exit_status::refused,
		exit_status::failure, exit_status::unreachable, exit_status::timed_out, exit_status::done};
	for (std::size_t i = 0; i < from_worst.size(); ++i) {
		for (std::size_t j = i; j < from_worst.size(); ++j) {
			CHECK(worse(from_worst[i], from_worst[j]) == from_worst[i]);
			CHECK(worse(from_worst[j], from_worst[i]) == from_worst[i]);
		}
	}
}

TEST_CASE("a fleet's row says what is known and escapes what a node sends")
{
	auto odd = make("downloading");
	odd.state = "down\x1b[31m";
	std::vector<node_facts> const nodes{node("a", {odd}), silent("u", errc::unreachable)};
	auto const rows = rows_of(nodes);
	auto const text = render_fleet(rows, worst_first(rows), false);
	CHECK(text.find('\x1b') == std::string::npos);
	CHECK(text.find("NODE  STATE") == 0);
	CHECK(text.find("no answer") != std::string::npos);
	CHECK(text.find("u     unreachable") < text.find("a     down?[31m"));
}

TEST_CASE("a node's trouble is a failure only when it has lasted")
{
	node_wait wait(wait_condition::synced, 30s);
	CHECK(wait.outcome(at(0)).verdict == wait_verdict::pending);
	wait.failed(make_error(errc::unreachable, "no daemon"), at(0));
	wait.failed(make_error(errc::timed_out, "silent"), at(20));
	CHECK(wait.outcome(at(29)).verdict == wait_verdict::pending);
	auto const late = wait.outcome(at(30));
	CHECK(late.verdict == wait_verdict::failed);
	REQUIRE(late.failure);
	CHECK(late.failure->message == "silent");
	wait.answered(list({make("downloading")}), at(31));
	CHECK(wait.outcome(at(100)).verdict == wait_verdict::pending);
	wait.answered({}, at(101));
	CHECK(wait.outcome(at(130)).verdict == wait_verdict::failed);
}

TEST_CASE("a torrent's error fails its node at once, and repaired it goes on")
{
	node_wait wait(wait_condition::synced, 30s);
	wait.answered(list({make("seeding"), make_failed(errc::io_error)}), at(0));
	auto const failed = wait.outcome(at(0));
	CHECK(failed.verdict == wait_verdict::failed);
	CHECK(failed.failure->code == errc::io_error);
	CHECK_FALSE(wait.is_final());
	wait.answered(list({make("seeding"), make("seeding")}), at(1));
	CHECK(wait.outcome(at(1)).verdict == wait_verdict::reached);
}

TEST_CASE("what was synced once stays so when the node goes, what was idle does not")
{
	node_wait synced(wait_condition::synced, 30s);
	synced.answered(list({make("seeding")}), at(0));
	CHECK(synced.is_final());
	synced.failed(make_error(errc::unreachable, "off"), at(1));
	CHECK(synced.outcome(at(100)).verdict == wait_verdict::reached);
	node_wait idle(wait_condition::idle, 30s);
	idle.answered(list({make("seeding")}), at(0));
	CHECK(idle.outcome(at(0)).verdict == wait_verdict::reached);
	CHECK_FALSE(idle.is_final());
	idle.failed(make_error(errc::unreachable, "off"), at(1));
	CHECK(idle.outcome(at(100)).verdict == wait_verdict::failed);
}

TEST_CASE("a node without torrents is idle, gone, and not ready")
{
	auto const verdict = [](wait_condition condition) {
		node_wait wait(condition, 30s);
		wait.failed(make_error(errc::not_found, "nothing of that name"), at(0));
		return wait.outcome(at(100)).verdict;
	};
	CHECK(verdict(wait_condition::idle) == wait_verdict::reached);
	CHECK(verdict(wait_condition::gone) == wait_verdict::reached);
	CHECK(verdict(wait_condition::ready) == wait_verdict::pending);
	CHECK(verdict(wait_condition::synced) == wait_verdict::failed);
}

TEST_CASE("a torrent that is removed from a node fails the wait, since the rest is no success")
{
	node_wait wait(wait_condition::synced, 30s);
	auto other = make("downloading");
	other.info_hash = "bb";
	wait.answered(list({make("seeding"), other}), at(0));
	wait.answered(list({make("seeding")}), at(1));
	auto const outcome = wait.outcome(at(1));
	CHECK(outcome.verdict == wait_verdict::failed);
	REQUIRE(outcome.failure);
	CHECK(outcome.failure->code == errc::not_found);
}
