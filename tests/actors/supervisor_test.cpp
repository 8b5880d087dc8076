#include "actors/supervisor.hpp"
#include "tests/support/test_system.hpp"

#include <catch2/catch.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

using namespace ezio;

namespace
{

using strings = std::vector<std::string>;

/// How a stand-in for a child behaves when it is told to stop.
struct manners {
	bool has_reply = false;
	bool ends = true;
	std::optional<error> failure;
};

caf::behavior obedient_child(
	caf::event_based_actor *self, std::string name, manners how, std::shared_ptr<strings> stopped)
{
	return {
		[self, name, how, stopped](stop_atom) -> caf::result<caf::message> {
			stopped->push_back(name);
			if (how.ends)
				self->quit();
			if (!how.has_reply)
				return caf::make_message();
			return caf::make_message(how.failure ? void_reply(*how.failure) : void_reply());
		},
	};
}

struct fixture {
	test_system actors;
	std::shared_ptr<strings> stopped = std::make_shared<strings>();
	std::shared_ptr<strings> fatal = std::make_shared<strings>();
	supervisor_actor supervisor = actors.system().spawn(ezio::supervisor,
		supervisor_config{
			std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>()),
			[this](std::string const &what) { fatal->push_back(what); }});

	caf::actor add(child_role role, std::string const &name, std::optional<manners> how = std::nullopt)
	{
		if (!how)
			how = manners{stop_order[stage_of(role)].has_reply, true, std::nullopt};
		auto const handle = actors.system().spawn(obedient_child, name, *how, stopped);
		caf::anon_send(supervisor, watch_atom::value, child{role, name, handle});
		actors.run();
		return handle;
	}
	auto stop() { return actors.ask<stop_report>(supervisor, stop_atom::value); }
};

} // namespace

TEST_CASE("every role stands exactly once in the stop order")
{
	std::array<int, child_roles> seen{};
	for (auto const &stage : stop_order)
		++seen.at(static_cast<std::size_t>(stage.role));
	for (auto const count : seen)
		CHECK(count == 1);
}

TEST_CASE_METHOD(fixture, "children stop in the stop order, whatever the order of their births")
{
	add(child_role::event_logger, "logger");
	add(child_role::partition, "partition 0");
	add(child_role::partition, "partition 1");
	add(child_role::stats, "stats");
	add(child_role::session, "session");
	add(child_role::event_outlet, "outlet");
	add(child_role::settings, "settings");
	add(child_role::control, "control");
	auto const report = stop();
	REQUIRE(report->value);
	CHECK(report->value->is_clean());
	CHECK(*stopped ==
		strings{"control", "settings", "session", "partition 0", "partition 1", "stats", "outlet", "logger"});
	CHECK(fatal->empty());
}

TEST_CASE_METHOD(fixture, "a stop with no children ends at once")
{
	REQUIRE(stop()->value);
}

TEST_CASE_METHOD(fixture, "the next stage waits until the one before has ended")
{
	auto const session = add(child_role::session, "session", manners{true, false, std::nullopt});
	add(child_role::partition, "partition 0");
	auto const report = stop();
	CHECK(*stopped == strings{"session"});
	CHECK_FALSE(report->value);
	caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
	actors.run();
	CHECK(*stopped == strings{"session", "partition 0"});
	REQUIRE(report->value);
}

TEST_CASE_METHOD(
	fixture, "a child that does not end is named when its time is over, and the rest still stops")
{
	auto const stuck = add(child_role::partition, "partition 0", manners{true, false, std::nullopt});
	add(child_role::event_logger, "logger");
	auto const report = stop();
	actors.pass(timeouts::stop_partition - std::chrono::seconds(1));
	CHECK_FALSE(report->value);
	actors.pass(std::chrono::seconds(1));
	REQUIRE(report->value);
	CHECK(report->value->not_ended == strings{"partition 0"});
	CHECK_FALSE(report->value->is_clean());
	CHECK(*stopped == strings{"partition 0", "logger"});
	caf::anon_send_exit(stuck, caf::exit_reason::kill);
	actors.run();
}

TEST_CASE_METHOD(fixture, "what a child could not finish is in the report")
{
	auto const failure = make_io_error("fdatasync", "/dev/x", 0, 0, 5);
	add(child_role::partition, "partition 0", manners{true, true, failure});
	auto const report = stop();
	REQUIRE(report->value);
	REQUIRE(report->value->failures.size() == 1);
	CHECK(report->value->failures[0] == failure);
}

TEST_CASE_METHOD(fixture, "an unexpected death is fatal, named once, and the stop that follows is not clean")
{
	auto const partition = add(child_role::partition, "partition 3");
	caf::anon_send_exit(partition, caf::exit_reason::kill);
	actors.run();
	REQUIRE(fatal->size() == 1);
	CHECK(fatal->front().find("partition 3") != std::string::npos);
	auto const report = stop();
	REQUIRE(report->value);
	CHECK(report->value->failures.size() == 1);
}

TEST_CASE_METHOD(fixture, "a death out of turn while stopping is reported and does not hang the stop")
{
	auto const session = add(child_role::session, "session", manners{true, false, std::nullopt});
	auto const partition = add(child_role::partition, "partition 0");
	auto const report = stop();
	caf::anon_send_exit(partition, caf::exit_reason::kill);
	actors.run();
	CHECK_FALSE(report->value);
	caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
	actors.run();
	REQUIRE(report->value);
	CHECK(report->value->failures.size() == 1);
	CHECK(fatal->empty());
}

TEST_CASE_METHOD(fixture, "whoever asks to stop a second time gets the same report")
{
	auto const session = add(child_role::session, "session", manners{true, false, std::nullopt});
	auto const first = stop();
	auto const second = stop();
	CHECK(stopped->size() == 1);
	caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
	actors.run();
	CHECK(first->value);
	CHECK(second->value);
}

TEST_CASE_METHOD(fixture, "a retired child stops at once, and its end is no accident")
{
	auto const partition = add(child_role::partition, "partition 3");
	add(child_role::session, "session");
	caf::anon_send(supervisor, retire_atom::value, partition);
	actors.run();
	CHECK(*stopped == strings{"partition 3"});
	CHECK(fatal->empty());
	auto const report = stop();
	REQUIRE(report->value);
	CHECK(report->value->is_clean());
	CHECK(*stopped == strings{"partition 3", "session"});
}

TEST_CASE_METHOD(fixture, "a stop in the middle of a change waits for a retired child, and tells it once")
{
	auto const slow = add(child_role::partition, "partition 3", manners{true, false, std::nullopt});
	add(child_role::partition, "partition 0");
	add(child_role::event_logger, "logger");
	caf::anon_send(supervisor, retire_atom::value, slow);
	actors.run();
	auto const report = stop();
	CHECK_FALSE(report->value);
	CHECK(*stopped == strings{"partition 3", "partition 0"});
	caf::anon_send_exit(slow, caf::exit_reason::user_shutdown);
	actors.run();
	REQUIRE(report->value);
	CHECK(*stopped == strings{"partition 3", "partition 0", "logger"});
	CHECK(fatal->empty());
}

TEST_CASE_METHOD(fixture, "a child that is retired in its turn is not told twice")
{
	auto const slow = add(child_role::partition, "partition 3", manners{true, false, std::nullopt});
	auto const report = stop();
	caf::anon_send(supervisor, retire_atom::value, slow);
	actors.run();
	CHECK(*stopped == strings{"partition 3"});
	caf::anon_send_exit(slow, caf::exit_reason::user_shutdown);
	actors.run();
	CHECK(report->value);
}
