#include "actors/control.hpp"
#include "actors/timeouts.hpp"
#include "tests/support/test_system.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

using namespace ezio;

namespace
{

torrent_row row(std::string hash, std::string name)
{
	torrent_row r;
	r.info_hash = std::move(hash);
	r.name = name;
	r.target = "/dev/" + name;
	return r;
}

/// What the session's stand-in holds and was asked to do.
struct session_script {
	std::vector<torrent_row> rows{row("aaaa000000000000000000000000000000000001", "one"),
		row("bbbb000000000000000000000000000000000002", "two")};
	std::vector<std::string> done;
	std::set<std::string> failing; ///< hashes whose changes fail
	bool is_silent = false;        ///< never answers

	void_reply act(std::string const &verb, std::string const &hash)
	{
		done.push_back(verb + " " + hash.substr(0, 4));
		if (failing.contains(hash))
			return make_io_error("pwritev", "/dev/one", 4096, 512, 5);
		return {};
	}
};

session_actor::behavior_type fake_session(session_actor::pointer self, session_script *script)
{
	auto const act = [self, script](char const *verb, std::string const &hash) -> caf::result<void_reply> {
		if (script->is_silent)
			return self->make_response_promise<void_reply>();
		return script->act(verb, hash);
	};
	return {
		[script](add_atom, add_request const &request) -> text_reply {
			script->done.push_back("add " + request.target);
			if (request.target == "/dev/mounted") {
				auto e = make_error(errc::target_refused, "mounted");
				e.check = "mounted";
				return e;
			}
			return std::string("cccc");
		},
		[act](pause_atom, std::string const &hash) { return act("pause", hash); },
		[act](resume_atom, std::string const &hash) { return act("resume", hash); },
		[act](remove_atom, std::string const &hash) { return act("remove", hash); },
		[act](verify_atom, std::string const &hash) { return act("verify", hash); },
		[act](warm_atom, std::string const &hash) { return act("warm", hash); },
		[act](announce_atom, std::string const &hash) { return act("reannounce", hash); },
		[](tune_atom, std::string const &, torrent_tuning const &) -> void_reply { return {}; },
		[](peers_atom, std::string const &hash) -> peers_reply {
			peer_row peer;
			peer.endpoint = "10.0.0.7:6881 of " + hash.substr(0, 4);
			return std::vector<peer_row>{peer};
		},
		[self, script](status_atom) -> caf::result<rows_reply> {
			if (script->is_silent)
				return self->make_response_promise<rows_reply>();
			return rows_reply(script->rows);
		},
		[](setting_atom, session_setting const &) { return void_reply(); },
		[](limits_atom, checkpoint_limits const &) {},
		[](limits_atom, verify_rate) {},
		[](verify_atom) {},
		[](wakeup_atom) {},
		[](tick_atom) {},
		[](finished_job const &) {},
		[self](stop_atom) {
			self->quit();
			return void_reply();
		},
	};
}

settings_actor::behavior_type fake_settings(settings_actor::pointer self)
{
	return {
		[](get_atom, std::vector<std::string> const &keys) -> settings_reply {
			if (keys == std::vector<std::string>{"nosuch"})
				return make_error(errc::unknown_key, "no such key");
			setting_row found;
			found.key = "cache-size";
			return std::vector<setting_row>{found};
		},
		[](set_atom, set_request const &request) -> change_reply {
			return setting_change{request.key, "1", request.value, true};
		},
		[](reload_atom) -> reload_reply {
			return reload_report{{{"level", "info", "debug", true}}, {}};
		},
		[self](stop_atom) { self->quit(); },
	};
}

stats_actor::behavior_type fake_stats(stats_actor::pointer self)
{
	return {
		[](stats_atom) {
			stats_report report;
			report.hashers = 3;
			return report;
		},
		[](event const &) {},
		[](tick_atom) {},
		[self](stop_atom) { self->quit(); },
	};
}

version_reply built_as(char const *version)
{
	version_reply reply;
	reply.version = version;
	return reply;
}

struct fixture {
	test_system actors;
	session_script script;
	session_actor session = actors.system().spawn(fake_session, &script);
	settings_actor settings = actors.system().spawn(fake_settings);
	stats_actor stats = actors.system().spawn(fake_stats);
	int shutdowns = 0;
	control_actor control = actors.system().spawn(
		ezio::control, control_config{session, settings, stats, built_as("1.2.3"), [this] { ++shutdowns; }});

	~fixture()
	{
		caf::anon_send(control, stop_atom::value);
		caf::anon_send(session, stop_atom::value);
		caf::anon_send(settings, stop_atom::value);
		caf::anon_send(stats, stop_atom::value);
		actors.run();
	}

	auto begin(control_verb verb)
	{
		return actors.ask<control_reply>(control, control_request{std::move(verb)});
	}
	control_reply ask(control_verb verb)
	{
		auto const answer = begin(std::move(verb));
		REQUIRE(answer->value);
		return *answer->value;
	}
	template <class Reply>
	Reply value(control_verb verb)
	{
		auto reply = ask(std::move(verb));
		REQUIRE(reply);
		REQUIRE(std::holds_alternative<Reply>(*reply));
		return std::get<Reply>(*reply);
	}
	error failure(control_verb verb)
	{
		auto const reply = ask(std::move(verb));
		REQUIRE_FALSE(reply);
		return reply.failure();
	}
};

using strings = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(fixture, "ping is answered")
{
	value<ping_reply>(ping_request{});
}

TEST_CASE_METHOD(fixture, "version says what the daemon was built from")
{
	CHECK(value<version_reply>(version_request{}).version == "1.2.3");
}

TEST_CASE_METHOD(fixture, "status without selectors shows all torrents, with selectors those")
{
	CHECK(value<status_reply>(status_request{}).rows.size() == 2);
	auto const two = value<status_reply>(status_request{{"two"}});
	REQUIRE(two.rows.size() == 1);
	CHECK(two.rows[0].name == "two");
}

TEST_CASE_METHOD(fixture, "a selector that fits nothing is not found and changes nothing")
{
	CHECK(failure(torrent_request{torrent_verb::remove, {"one", "nosuch"}}).code == errc::not_found);
	CHECK(script.done.empty());
}

TEST_CASE_METHOD(fixture, "a change without selectors is refused")
{
	CHECK(failure(torrent_request{torrent_verb::remove, {}}).code == errc::invalid_argument);
	CHECK(script.done.empty());
}

TEST_CASE_METHOD(fixture, "every torrent verb reaches the session for each selected torrent")
{
	auto const verb = GENERATE(table<torrent_verb, char const *>({{torrent_verb::pause, "pause"},
		{torrent_verb::resume, "resume"}, {torrent_verb::remove, "remove"}, {torrent_verb::verify, "verify"},
		{torrent_verb::warm, "warm"}, {torrent_verb::reannounce, "reannounce"}}));
	auto const changed = value<torrent_reply>(torrent_request{std::get<0>(verb), {"all"}});
	CHECK(changed.info_hashes == strings{script.rows[0].info_hash, script.rows[1].info_hash});
	std::string const word = std::get<1>(verb);
	CHECK(script.done == strings{word + " aaaa", word + " bbbb"});
}

TEST_CASE_METHOD(fixture, "one torrent that cannot change fails the request, and the others still change")
{
	script.failing = {script.rows[0].info_hash};
	auto const e = failure(torrent_request{torrent_verb::verify, {"all"}});
	CHECK(e.code == errc::io_error);
	CHECK(e.offset_bytes == 4096u);
	CHECK(script.done.size() == 2);
}

TEST_CASE_METHOD(fixture, "all of no torrents changes nothing and succeeds")
{
	script.rows.clear();
	CHECK(value<torrent_reply>(torrent_request{torrent_verb::pause, {"all"}}).info_hashes.empty());
	CHECK(value<peers_list_reply>(peers_request{}).torrents.empty());
}

TEST_CASE_METHOD(fixture, "peers are listed under their torrents")
{
	auto const list = value<peers_list_reply>(peers_request{});
	REQUIRE(list.torrents.size() == 2);
	CHECK(list.torrents[1].name == "two");
	REQUIRE(list.torrents[1].peers.size() == 1);
	CHECK(list.torrents[1].peers[0].endpoint == "10.0.0.7:6881 of bbbb");
}

TEST_CASE_METHOD(fixture, "add answers the hash, or the refusal with the name of its check")
{
	add_request add;
	add.target = "/dev/free";
	CHECK(value<add_reply>(add).info_hash == "cccc");
	add.target = "/dev/mounted";
	CHECK(failure(add).check == "mounted");
}

TEST_CASE_METHOD(fixture, "settings are read, changed and reloaded by the settings actor")
{
	CHECK(value<get_reply>(get_request{}).settings.at(0).key == "cache-size");
	CHECK(failure(get_request{{"nosuch"}}).code == errc::unknown_key);
	CHECK(value<setting_change>(set_request{"cache-size", "128", false}).new_value == "128");
	CHECK(value<reload_report>(reload_request{}).applied.size() == 1);
}

TEST_CASE_METHOD(fixture, "stats come from the stats actor")
{
	CHECK(value<stats_report>(stats_request{}).hashers == 3);
}

TEST_CASE_METHOD(fixture, "stats name what holds the torrents back")
{
	script.rows[0].state = torrent_state::downloading;
	CHECK(value<stats_report>(stats_request{}).held_by.what == bottleneck_kind::peers);
	script.rows[0].peers = 2;
	CHECK(value<stats_report>(stats_request{}).held_by.what == bottleneck_kind::source);
}

TEST_CASE_METHOD(fixture, "stats are answered although the session is not")
{
	script.is_silent = true;
	auto const answer = begin(stats_request{});
	CHECK_FALSE(answer->value);
	actors.pass(timeouts::stats_request);
	REQUIRE(answer->value);
	CHECK(answer->value->has_value());
}

TEST_CASE_METHOD(fixture, "shutdown is answered and begins the stop")
{
	value<shutdown_reply>(shutdown_request{});
	CHECK(shutdowns == 1);
}

TEST_CASE_METHOD(fixture, "a session that does not answer is reported when its time is over, not earlier")
{
	script.is_silent = true;
	auto const answer = begin(status_request{});
	actors.pass(timeouts::session_request - std::chrono::milliseconds(1));
	CHECK_FALSE(answer->value);
	actors.pass(std::chrono::milliseconds(1));
	REQUIRE(answer->value);
	CHECK(answer->value->failure().code == errc::timed_out);
}

TEST_CASE_METHOD(fixture, "a request to a dead session is answered")
{
	caf::anon_send_exit(session, caf::exit_reason::kill);
	actors.run();
	CHECK(failure(status_request{}).code == errc::unreachable);
	CHECK(failure(add_request{}).code == errc::unreachable);
}

TEST_CASE_METHOD(
	fixture, "what is under way when control stops is answered: the daemon is not there any more")
{
	script.is_silent = true;
	auto const status = begin(status_request{});
	auto const peers = begin(peers_request{});
	caf::anon_send(control, stop_atom::value);
	actors.run();
	REQUIRE(status->value);
	CHECK(status->value->failure().code == errc::unreachable);
	REQUIRE(peers->value);
	CHECK(peers->value->failure().code == errc::unreachable);
}
