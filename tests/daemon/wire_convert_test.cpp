#include "daemon/wire_convert.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using nlohmann::json;

namespace
{

result<control_request> convert(std::string const &verb, json const &args)
{
	auto const decoded = wire::decode_request(wire::encode_request(1, verb, args));
	REQUIRE(decoded.what);
	return to_control_request(*decoded.what);
}

} // namespace

TEST_CASE("every verb of the protocol becomes a control request")
{
	for (auto const &verb : wire::verbs()) {
		auto args = json::object();
		for (auto const &arg : verb.args)
			if (arg.is_required)
				args[std::string(arg.name)] = arg.type == wire::arg_type::text_list
					? json{"all"}
					: json(arg.name == "target" ? "/t" : "YQ==");
		INFO(verb.name);
		CHECK(convert(std::string(verb.name), args));
	}
}

TEST_CASE("add carries all its arguments")
{
	auto const made = convert("add",
		{{"torrent_base64", "aGVsbG8="}, {"target", "/dev/x"}, {"seed", true}, {"sequential", true},
			{"paused", true}, {"check", true}, {"peers", {"h:1"}}, {"trackers", {"http://t/a"}},
			{"uploads_max", 3}, {"connections_max", 4}, {"upload_limit", 5}, {"download_limit", 6},
			{"priority", "high"}, {"allow", {"mounted"}}});
	REQUIRE(made);
	auto const &add = std::get<add_request>(made->verb);
	CHECK(add.torrent == "hello");
	CHECK(add.target == "/dev/x");
	CHECK((add.is_seed && add.is_sequential && add.is_paused && add.is_check));
	CHECK(add.peers == std::vector<std::string>{"h:1"});
	CHECK(add.trackers == std::vector<std::string>{"http://t/a"});
	CHECK(add.uploads_max == 3);
	CHECK(add.connections_max == 4);
	CHECK(add.limits == torrent_limits{5, 6});
	CHECK(add.priority == torrent_priority::high);
	CHECK(add.allowed_checks == std::set<std::string>{"mounted"});
}

TEST_CASE("tune carries what is named and leaves the rest alone")
{
	auto const made = convert("tune", {{"selectors", {"all"}}, {"download_limit", 0}});
	REQUIRE(made);
	auto const &tune = std::get<tune_request>(made->verb);
	CHECK(tune.selectors == std::vector<std::string>{"all"});
	CHECK_FALSE(tune.tuning.up_limit);
	CHECK(tune.tuning.down_limit == 0u);
	CHECK_FALSE(tune.tuning.priority);
	auto const low = convert("tune", {{"selectors", {"all"}}, {"priority", "low"}});
	REQUIRE(low);
	CHECK(std::get<tune_request>(low->verb).tuning.priority == torrent_priority::low);
	CHECK(convert("tune", {{"selectors", {"all"}}, {"priority", "urgent"}}).failure().code ==
		errc::invalid_argument);
}

TEST_CASE("a relative target and a torrent that is no base64 are refused")
{
	CHECK(convert("add", {{"torrent_base64", "aGVsbG8="}, {"target", "dev/x"}}).failure().code ==
		errc::invalid_argument);
	CHECK(convert("add", {{"torrent_base64", "a?"}, {"target", "/dev/x"}}).failure().code ==
		errc::invalid_argument);
}

TEST_CASE("status counts states and adds up sizes")
{
	torrent_row a;
	a.state = torrent_state::seeding;
	a.size_bytes = 10;
	auto b = a;
	b.state = torrent_state::error;
	b.failure = make_io_error("pwritev", "/dev/x", 1, 2, 5);
	auto const shown = to_json(status_reply{{a, b, a}});
	CHECK(shown["totals"]["states"] == json{{"seeding", 2}, {"error", 1}});
	CHECK(shown["totals"]["size_bytes"] == 30);
	CHECK(shown["torrents"][0]["error"].is_null());
	CHECK(shown["torrents"][0]["warming"] == false);
	CHECK(shown["torrents"][0]["warm_bytes"].is_null());
	CHECK(shown["torrents"][0]["upload_limit"] == 0);
	CHECK(shown["torrents"][0]["priority"] == "normal");
	CHECK(shown["torrents"][0]["held"] == false);
	CHECK(shown["torrents"][0]["slow_start_rate"].is_null());
	CHECK(shown["torrents"][1]["error"]["context"]["errno_name"] == "EIO");
}

TEST_CASE("stats sum the counters of all partitions, of those that ended too")
{
	stats_report report;
	report.partitions.resize(2);
	report.partitions[0].write_ops = 2;
	report.partitions[1].write_ops = 3;
	report.ended.write_ops = 10;
	report.partitions[0].ahead_blocks = 5;
	report.partitions[0].ahead_unused_blocks = 4;
	report.budget_blocks = 4;
	report.blocks_refused = 2;
	report.partitions[1].device = "/dev/sda";
	report.devices.push_back({"/dev/sda", disk_kind::rotational, 2, 3, 4, 5, 6, 7, 8, {}});
	report.devices[0].counters.errors = 9;
	report.devices[0].counters.retries = 10;
	report.devices[0].counters.queue_depth = 11;
	report.devices[0].counters.read_latency.p95_us = 12;
	auto const shown = to_json(report);
	CHECK(shown["totals"]["write_ops"] == 15);
	CHECK(shown["partitions"][1]["write_ops"] == 3);
	CHECK(shown["totals"]["ahead_blocks"] == 5);
	CHECK(shown["totals"]["ahead_unused_blocks"] == 4);
	CHECK(shown["partitions"][1]["device"] == "/dev/sda");
	REQUIRE(shown["devices"].size() == 1);
	auto const &device = shown["devices"][0];
	auto const expected = json::parse(
		R"({"device":"/dev/sda","kind":"rotational","partitions":2,"dirty_bytes":3,"dirty_mark_bytes":4,
		"drain_bytes_per_second":5,"blocks_refused":6,"backpressure_count":7,"backpressure_ms":8,"errors":9,
		"retries":10,"queue_depth":11})");
	for (auto const &[key, value] : expected.items()) {
		INFO(key);
		CHECK(device[key] == value);
	}
	CHECK(device["read_latency"]["p95_us"] == 12);
	CHECK(device.contains("cache_hits"));
	CHECK(device.contains("blocks_written"));
	CHECK(shown["budget"]["capacity_bytes"] == 65536);
	CHECK(shown["budget"]["blocks_refused"] == 2);
}

TEST_CASE("stats show what every hasher did and how full its lanes were")
{
	stats_report report;
	report.hashers = 1;
	report.hasher_rows.resize(1);
	auto &hasher = report.hasher_rows[0];
	hasher.hashed_bytes = 100;
	hasher.pieces = 7;
	hasher.steps_by_pieces[1] = 2;
	auto const shown = to_json(report)["hashers"];
	REQUIRE(shown.size() == 1);
	CHECK(shown[0]["index"] == 0);
	CHECK(shown[0]["hashed_bytes"] == 100);
	CHECK(shown[0]["pieces"] == 7);
	CHECK(shown[0]["lanes_filled"] == 2.0);
	CHECK(shown[0]["steps_by_pieces"].size() == sha_lanes_max);
	CHECK(shown[0]["steps_by_pieces"][1] == 2);
}

TEST_CASE("an event without a piece has none on the wire")
{
	auto e = make_event(event_kind::hash_failed, "cafe", "text");
	CHECK_FALSE(to_event_message(1, e).piece);
	e.piece = 0;
	CHECK(to_event_message(7, e).piece == 0u);
	CHECK(to_event_message(7, e).seq == 7);
	CHECK(to_event_message(7, e).kind == "hash-failed");
}
