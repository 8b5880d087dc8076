#include "ctl/torrent_list.hpp"
#include "ctl/wait_condition.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;

namespace
{

torrent_view make(std::string name, std::string state = "downloading")
{
	torrent_view t;
	t.target = "/dev/" + name;
	t.name = std::move(name);
	t.state = std::move(state);
	t.pieces_total = 10;
	return t;
}

std::string order(std::vector<torrent_view> const &torrents, sort_key key, bool is_reversed = false)
{
	std::string names;
	for (auto const index : sorted(torrents, key, is_reversed))
		names += torrents[index].name;
	return names;
}

bool accepts(char const *filter, torrent_view const &torrent)
{
	return torrent_filter::parse(filter).accepts(torrent);
}

wait_verdict verdict(torrent_view const &torrent, wait_condition condition)
{
	return judge(torrent, condition).verdict;
}

} // namespace

TEST_CASE("numbers are sorted from the largest, text from A, and reverse turns both round")
{
	std::vector<torrent_view> torrents{make("b"), make("A"), make("c")};
	torrents[0].down_rate = 5;
	torrents[1].up_rate = 9;
	torrents[2].down_rate = 6;
	torrents[0].size_bytes = 3;
	torrents[0].peers = 2;
	torrents[2].peers = 1;
	torrents[1].added_unix_ms = 5;
	torrents[2].progress = 0.5;
	torrents[2].state = "checking";
	CHECK(order(torrents, sort_key::name) == "Abc");
	CHECK(order(torrents, sort_key::name, true) == "cbA");
	CHECK(order(torrents, sort_key::path) == "Abc");
	CHECK(order(torrents, sort_key::speed) == "Acb");
	CHECK(order(torrents, sort_key::speed, true) == "bcA");
	CHECK(order(torrents, sort_key::down) == "cbA");
	CHECK(order(torrents, sort_key::up) == "Abc");
	CHECK(order(torrents, sort_key::size) == "bAc");
	CHECK(order(torrents, sort_key::peers) == "bcA");
	CHECK(order(torrents, sort_key::added) == "Abc");
	CHECK(order(torrents, sort_key::progress) == "cAb");
	CHECK(order(torrents, sort_key::state) == "cAb");
}

TEST_CASE("torrents without an eta are last, reversed or not")
{
	std::vector<torrent_view> torrents{make("none"), make("long"), make("short")};
	torrents[1].eta_seconds = 100;
	torrents[2].eta_seconds = 1;
	CHECK(order(torrents, sort_key::eta) == "longshortnone");
	CHECK(order(torrents, sort_key::eta, true) == "shortlongnone");
}

TEST_CASE("every sort key of the message is known")
{
	CHECK(sort_key_names() == "name, path, progress, speed, down, up, peers, size, eta, state, added");
	CHECK(sort_key_from_string("eta") == sort_key::eta);
	CHECK_FALSE(sort_key_from_string("Eta"));
}

TEST_CASE("sort keys follow each other round and round, in the order of the message")
{
	std::string names;
	auto key = sort_key::name;
	do {
		names += (names.empty() ? "" : ", ") + std::string(to_string(key));
		CHECK(next_sort_key(next_sort_key(key, false), true) == key);
		key = next_sort_key(key, false);
	} while (key != sort_key::name);
	CHECK(names == sort_key_names());
}

TEST_CASE("groups of the filter are combined with or, text with and")
{
	auto const t = make("Root-sda1", "checking");
	CHECK(accepts("", t));
	CHECK(accepts("all", t));
	CHECK(accepts("downloading,checking", t));
	CHECK_FALSE(accepts("downloading,paused", t));
	CHECK(accepts("SDA1", t));
	CHECK(accepts("/dev/root", t));
	CHECK(accepts("nothing,root", t));
	CHECK_FALSE(accepts("nothing", t));
	CHECK(accepts("checking,root", t));
	CHECK_FALSE(accepts("checking,nothing", t));
	CHECK_FALSE(accepts("downloading,root", t));
}

TEST_CASE("finished means complete and on stable storage")
{
	auto t = make("a", "finished");
	CHECK_FALSE(accepts("finished", t));
	t.is_synced = true;
	CHECK(accepts("finished", t));
	t.state = "seeding";
	CHECK(accepts("finished", t));
	CHECK(accepts("seeding", t));
	t.state = "error";
	CHECK_FALSE(accepts("finished", t));
	CHECK(accepts("error", t));
}

TEST_CASE("active means that bytes move or the device works")
{
	auto t = make("a", "downloading");
	CHECK_FALSE(accepts("active", t));
	t.up_rate = 1;
	CHECK(accepts("active", t));
	CHECK(accepts("active", make("a", "checking")));
	CHECK(accepts("active", make("a", "syncing")));
	CHECK(accepts("active", make("a", "verifying")));
	CHECK_FALSE(accepts("active", make("a", "paused")));
}

TEST_CASE("a status reply is read and what it lacks keeps its default")
{
	auto const list = read_torrents(nlohmann::json::parse(
		R"({"torrents":[{"name":"n","eta_seconds":7,"bad_pieces":2,"error":{"code":"io-error","message":"m"}},{"peers":-1}]})"));
	REQUIRE(list);
	REQUIRE(list->torrents.size() == 2);
	CHECK(list->torrents[0].name == "n");
	CHECK(list->torrents[0].eta_seconds == 7u);
	CHECK(list->torrents[0].bad_pieces == 2u);
	REQUIRE(list->torrents[0].failure);
	CHECK(list->torrents[0].failure->code == errc::io_error);
	CHECK(list->torrents[1].peers == 0);
	CHECK_FALSE(list->torrents[1].failure);
	CHECK_FALSE(read_torrents(nlohmann::json::object()));
	CHECK_FALSE(read_torrents(nlohmann::json{{"torrents", {1}}}));
}

TEST_CASE("each condition of wait is reached when its definition says so")
{
	auto t = make("a", "checking");
	CHECK(verdict(t, wait_condition::ready) == wait_verdict::pending);
	CHECK(verdict(t, wait_condition::idle) == wait_verdict::pending);
	t.state = "downloading";
	CHECK(verdict(t, wait_condition::ready) == wait_verdict::reached);
	CHECK(verdict(t, wait_condition::idle) == wait_verdict::pending);
	CHECK(verdict(t, wait_condition::downloaded) == wait_verdict::pending);
	t.state = "syncing";
	t.pieces_done = 10;
	CHECK(verdict(t, wait_condition::downloaded) == wait_verdict::reached);
	CHECK(verdict(t, wait_condition::synced) == wait_verdict::pending);
	t.state = "seeding";
	t.is_synced = true;
	CHECK(verdict(t, wait_condition::synced) == wait_verdict::reached);
	CHECK(verdict(t, wait_condition::idle) == wait_verdict::reached);
	t.up_rate = 1;
	CHECK(verdict(t, wait_condition::idle) == wait_verdict::pending);
	CHECK(verdict(t, wait_condition::verified) == wait_verdict::pending);
	t.is_verified = true;
	CHECK(verdict(t, wait_condition::verified) == wait_verdict::reached);
	CHECK(verdict(t, wait_condition::gone) == wait_verdict::pending);
}

TEST_CASE("bad pieces fail verified only when the verification is over")
{
	auto t = make("a", "verifying");
	t.bad_pieces = 1;
	CHECK(verdict(t, wait_condition::verified) == wait_verdict::pending);
	t.state = "seeding";
	auto const outcome = judge(t, wait_condition::verified);
	CHECK(outcome.verdict == wait_verdict::failed);
	REQUIRE(outcome.failure);
	CHECK(outcome.failure->code == errc::integrity);
	CHECK(outcome.failure->message == "1 of 10 pieces on the device do not match their hash");
}

TEST_CASE("a torrent in error fails every condition but gone")
{
	auto t = make("a", "error");
	t.is_synced = true;
	t.pieces_done = 10;
	t.failure = make_error(errc::io_error, "m");
	for (auto const condition : {wait_condition::ready, wait_condition::downloaded, wait_condition::synced,
			 wait_condition::verified, wait_condition::idle}) {
		auto const outcome = judge(t, condition);
		CHECK(outcome.verdict == wait_verdict::failed);
		CHECK(outcome.failure == t.failure);
	}
	CHECK(verdict(t, wait_condition::gone) == wait_verdict::pending);
}
