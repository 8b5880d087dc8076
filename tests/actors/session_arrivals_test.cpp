#include "tests/actors/session_bench.hpp"

using namespace ezio;
using namespace ezio::test;

namespace
{

add_request second_on(std::string target)
{
	add_request request;
	request.torrent = hash_two;
	request.target = std::move(target);
	return request;
}

/// As the daemon asks for a torrent of the last run.
add_request kept_on(std::string target)
{
	auto request = second_on(std::move(target));
	request.added_unix_ms = 1000;
	request.known_info_hash = hash_two;
	request.known_name = "image";
	request.known_pieces = {true, false, true, false};
	return request;
}

/// A session with an addition whose device hangs.
struct hanging_bench : session_bench {
	explicit hanging_bench(add_request const &request = second_on("/dev/hangs"))
	{
		hanging.insert("/dev/hangs");
		answer = ask_to_add(request);
	}
	template <class Atom>
	std::shared_ptr<test_system::answer<void_reply>> ask(Atom verb)
	{
		return world.ask<void_reply>(actor, verb, hash_two);
	}
	/// The answer is there.
	template <class Atom>
	void_reply must(Atom verb)
	{
		auto const came = ask(verb);
		REQUIRE(came->value);
		return *came->value;
	}

	answer_to_add answer;
};

} // namespace

TEST_CASE("an addition whose device hangs is shown, and keeps nobody else waiting", "[session]")
{
	hanging_bench bench;
	CHECK_FALSE(bench.answer->value);
	auto const row = bench.row();
	CHECK(row.info_hash == hash_two);
	CHECK(row.name == "image");
	CHECK(row.target == "/dev/hangs");
	CHECK(row.state == torrent_state::checking);
	CHECK(row.size_bytes == 4 * mib);
	CHECK(row.pieces_total == 4);

	REQUIRE(bench.add());
	bench.complete_and_sync();
	auto const rows = bench.rows();
	REQUIRE(rows.size() == 2);
	CHECK(rows[0].info_hash == hash_one);
	CHECK(rows[0].state == torrent_state::seeding);
	CHECK(rows[1].state == torrent_state::checking);

	bench.let_go();
	REQUIRE(bench.answer->value);
	CHECK(bench.answer->value->value() == hash_two);
	CHECK(bench.rows().size() == 2);
	CHECK(bench.count(event_kind::torrent_added) == 2);
	CHECK(bench.store->kept.contains(hash_two));
}

TEST_CASE("additions to one target share a gate, which is retired when nobody is at it", "[session]")
{
	hanging_bench bench;
	add_request other;
	other.target = "/dev/hangs";
	auto const second = bench.ask_to_add(other);
	CHECK(bench.gates_opened == 1);
	CHECK(bench.rows().size() == 2);
	CHECK(bench.gates_retired == 0);
	bench.let_go();
	REQUIRE(bench.answer->value);
	REQUIRE(second->value);
	CHECK(*bench.answer->value);
	CHECK(*second->value);
	CHECK(bench.gates_retired == 1);
}

TEST_CASE("a torrent that is on its way in cannot be added once more", "[session]")
{
	hanging_bench bench;
	auto const again = bench.ask_to_add(second_on("/dev/fake0"));
	REQUIRE(again->value);
	CHECK(again->value->failure().code == errc::already_exists);
	CHECK(again->value->failure().message.find("/dev/hangs") != std::string::npos);
	CHECK(bench.rows().size() == 1);
	bench.let_go();
	CHECK(*bench.answer->value);
}

TEST_CASE("what is asked of a torrent on its way in holds when it is there", "[session]")
{
	hanging_bench bench;
	torrent_tuning tuning;
	tuning.up_limit = 500;
	tuning.priority = torrent_priority::high;
	auto const tuned = bench.world.ask<void_reply>(bench.actor, tune_atom::value, hash_two, tuning);
	REQUIRE(tuned->value);
	CHECK(*tuned->value);
	CHECK(bench.row().limits.up == 500);
	CHECK(bench.must(pause_atom::value));
	CHECK(bench.must(verify_atom::value).failure().code == errc::invalid_argument);
	CHECK(bench.must(verify_atom::value).failure().device == "/dev/hangs");
	CHECK(bench.must(warm_atom::value).failure().code == errc::invalid_argument);
	SECTION("paused")
	{
		bench.let_go();
		CHECK(bench.swarm->was_asked("add paused"));
		CHECK(bench.store->kept[hash_two].is_paused);
		CHECK(bench.store->kept[hash_two].request->limits.up == 500);
		CHECK(bench.row().priority == torrent_priority::high);
	}
	SECTION("resumed again")
	{
		CHECK(bench.must(resume_atom::value));
		bench.let_go();
		CHECK(bench.swarm->was_asked("add"));
		CHECK_FALSE(bench.swarm->was_asked("add paused"));
	}
}

TEST_CASE("a removal of a torrent on its way in answers when its device has been let go", "[session]")
{
	hanging_bench bench(kept_on("/dev/hangs"));
	bench.store->kept[hash_two].info_hash = hash_two;
	auto const removal = bench.ask(remove_atom::value);
	CHECK_FALSE(removal->value);
	REQUIRE(bench.answer->value);
	CHECK(bench.answer->value->failure().code == errc::aborted);
	// A restart does not bring it back.
	CHECK_FALSE(bench.store->kept.contains(hash_two));
	CHECK(bench.must(pause_atom::value).failure().code == errc::not_found);
	auto const again = bench.ask_to_add(second_on("/dev/fake0"));
	REQUIRE(again->value);
	CHECK(again->value->failure().message.find("still being removed") != std::string::npos);
	bench.let_go();
	REQUIRE(removal->value);
	CHECK(*removal->value);
	CHECK(bench.rows().empty());
	CHECK(bench.count(event_kind::torrent_removed) == 1);
	CHECK_FALSE(bench.swarm->was_asked("add"));
	CHECK(*bench.ask_to_add(second_on("/dev/fake0"))->value);
}

TEST_CASE("a stop waits for no device that hangs at an addition, and answers who does", "[session]")
{
	hanging_bench bench;
	bench.hanging.insert("/dev/hangs too");
	add_request other;
	other.target = "/dev/hangs too";
	auto const removed = bench.ask_to_add(other);
	auto const removal = bench.world.ask<void_reply>(bench.actor, remove_atom::value, hash_one);
	REQUIRE(removed->value);
	CHECK(removed->value->failure().code == errc::aborted);
	CHECK_FALSE(removal->value);
	CHECK(bench.stop());
	REQUIRE(bench.answer->value);
	CHECK(bench.answer->value->failure().code == errc::unreachable);
	REQUIRE(removal->value);
	CHECK(*removal->value);
	bench.let_go();
	CHECK_FALSE(std::count(bench.asked.begin(), bench.asked.end(), "add") > 0);
	CHECK(bench.count(event_kind::torrent_added) == 0);
}

TEST_CASE("a torrent of the last run is shown from the first moment, with what is known of it", "[session]")
{
	auto request = kept_on("/dev/hangs");
	request.known_failure = make_io_error("pwritev", "/dev/hangs", 0, 16384, EIO);
	hanging_bench bench(request);
	CHECK(bench.row().state == torrent_state::checking);
	CHECK(bench.row().added_unix_ms == 1000);
	SECTION("paused on its way, it is kept so at once")
	{
		CHECK(bench.must(pause_atom::value));
		bench.world.run();
		CHECK(bench.store->kept[hash_two].is_paused);
		CHECK(bench.store->kept[hash_two].pieces == std::vector<bool>{true, false, true, false});
		CHECK(bench.store->kept[hash_two].failure->os_errno == EIO);
		CHECK(bench.store->kept[hash_two].added_unix_ms == 1000);
	}
	SECTION("its failure stays until it is resumed")
	{
		bench.let_go();
		CHECK(bench.row().state == torrent_state::error);
	}
	SECTION("resumed on its way, it is hashed when it is there")
	{
		CHECK(bench.must(resume_atom::value));
		bench.let_go();
		CHECK(bench.swarm->was_asked("add checking"));
		CHECK(bench.row().state == torrent_state::checking);
	}
}

TEST_CASE("resuming a torrent that did not go on since the restart keeps nobody waiting either", "[session]")
{
	session_bench bench;
	CHECK(bench.ask_to_add(kept_on("/dev/mounted"))->value->failure().check == "mounted");
	REQUIRE(bench.row().state == torrent_state::error);
	bench.hanging.insert("/dev/mounted");
	auto const resumed = bench.world.ask<void_reply>(bench.actor, resume_atom::value, hash_two);
	CHECK_FALSE(resumed->value);
	CHECK(bench.row().state == torrent_state::checking);
	bench.let_go();
	REQUIRE(resumed->value);
	CHECK(resumed->value->failure().check == "mounted");
	CHECK(bench.row().state == torrent_state::error);
}

TEST_CASE("a verification of a torrent that did not go on since the restart brings it in first", "[session]")
{
	session_bench bench;
	auto request = kept_on("/dev/mounted");
	request.torrent = hash_one;
	request.known_info_hash = hash_one;
	bench.ask_to_add(request);
	REQUIRE(bench.row().state == torrent_state::error);
	bench.is_mounted = false;
	CHECK(bench.tell(verify_atom::value));
	bench.complete_and_sync();
	bench.world.run();
	CHECK(bench.row().is_verified);
	CHECK_FALSE(bench.kept().request->is_verify);
}

TEST_CASE("a refusal that comes after its answer had to be given is told as an event", "[session]")
{
	session_bench bench;
	bench.hanging.insert("/dev/mounted");
	bench.ask_to_add(second_on("/dev/mounted"));
	bench.let_go();
	CHECK(bench.count(event_kind::warning) == 0);
	bench.ask_to_add(second_on("/dev/mounted"));
	bench.world.pass(timeouts::add_torrent);
	bench.let_go();
	CHECK(bench.rows().empty());
	REQUIRE(bench.count(event_kind::warning) == 1);
	CHECK(bench.events.back().failure->check == "mounted");
}
