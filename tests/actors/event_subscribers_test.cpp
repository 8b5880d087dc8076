#include "actors/event_outlet.hpp"
#include "tests/support/test_system.hpp"

#include <catch2/catch.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <set>
#include <sstream>

using namespace ezio;

TEST_CASE("the outlet numbers all events from one without a gap, in their order")
{
	test_system actors;
	std::vector<std::pair<std::uint64_t, std::string>> seen;
	auto const outlet = join_bus(actors.system(),
		actors.system().spawn(event_outlet,
			[&seen](std::uint64_t sequence, event const &e) { seen.emplace_back(sequence, e.text); }));
	for (auto const *const text : {"a", "b", "c"})
		publish(actors.system(), make_event(event_kind::warning, {}, text));
	actors.run();
	CHECK(seen == std::vector<std::pair<std::uint64_t, std::string>>{{1, "a"}, {2, "b"}, {3, "c"}});
	caf::anon_send(outlet, stop_atom::value);
	actors.run();
}

TEST_CASE("a subscriber that stops has handled everything published before")
{
	test_system actors;
	int seen = 0;
	auto const outlet = join_bus(actors.system(),
		actors.system().spawn(event_outlet, [&seen](std::uint64_t, event const &) { ++seen; }));
	publish(actors.system(), make_event(event_kind::warning));
	caf::anon_send(outlet, stop_atom::value);
	publish(actors.system(), make_event(event_kind::warning));
	actors.run();
	CHECK(seen == 1);
}

TEST_CASE("the log line of an event says what, where and how much")
{
	std::ostringstream text;
	auto const logger =
		std::make_shared<spdlog::logger>("events", std::make_shared<spdlog::sinks::ostream_sink_st>(text));
	logger->set_pattern("%l %v");
	test_system actors;
	auto const subscriber = join_bus(actors.system(), actors.system().spawn(event_logger, logger));
	auto e = make_event(event_kind::disk_error, "cafe");
	e.failure = make_io_error("pwritev", "/dev/loop0", 1048576, 262144, 28);
	publish(actors.system(), std::move(e));
	auto told = make_event(event_kind::torrent_error, "cafe", "seven pieces differ");
	told.failure = make_error(errc::integrity, "seven pieces differ");
	publish(actors.system(), std::move(told));
	auto hidden = make_event(event_kind::peer_connected, "cafe");
	publish(actors.system(), std::move(hidden));
	actors.run();
	CHECK(text.str() ==
		"error disk-error torrent=cafe: pwritev /dev/loop0 offset 1048576 length 262144: ENOSPC (No space "
		"left "
		"on device)\n"
		"error torrent-error torrent=cafe: seven pieces differ\n");
	caf::anon_send(subscriber, stop_atom::value);
	actors.run();
}

TEST_CASE("every kind of event has a name of its own")
{
	std::set<std::string_view> names;
	for (int kind = 0; kind <= static_cast<int>(event_kind::warning); ++kind)
		names.insert(to_string(static_cast<event_kind>(kind)));
	CHECK(names.size() == static_cast<std::size_t>(event_kind::warning) + 1);
	CHECK_FALSE(names.contains("unknown"));
}
