#include "ctl/render.hpp"
#include "ctl/status_columns.hpp"
#include "ctl/text_format.hpp"

#include "tests/ctl/sample_torrent.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <string>

using namespace ezio;
using namespace ezio::ctl;
using ezio::ctl::test::sample;
using nlohmann::json;

TEST_CASE("sizes, rates and times read well at their borders")
{
	CHECK(format_bytes(0) == "0 B");
	CHECK(format_bytes(1023) == "1023 B");
	CHECK(format_bytes(1024) == "1.0 KiB");
	CHECK(format_bytes((1u << 20) - 1) == "1.0 MiB");
	CHECK(format_bytes(0xffffffffffffffffu) == "16.0 EiB");
	CHECK(format_rate(0) == "-");
	CHECK(format_rate(3 << 20) == "3.0 MiB/s");
	CHECK(format_duration(59) == "59 s");
	CHECK(format_duration(60) == "1 min 00 s");
	CHECK(format_duration(3661) == "1 h 01 min");
	CHECK(format_duration(90000) == "1 d 01 h");
	CHECK(format_percent(0.99999) == "99.9 %");
	CHECK(format_percent(1) == "100.0 %");
	CHECK(format_percent(-1) == "0.0 %");
}

TEST_CASE("no control character of a name reaches the terminal")
{
	CHECK(printable("a\x1b[2Jb\n\x7f\xc2\x9b") == "a?[2Jb???");
	CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
	CHECK(printable_lines("a\x1b\nb\n") == "a?\n  b");
	auto t = sample();
	t.name = "\x1b[31mred";
	CHECK(render_status({t}, {"name"}, false) == "NAME\n?[31mred\n");
}

TEST_CASE("a table is aligned by characters and has no trailing spaces")
{
	CHECK(format_table({{"A", false}, {"N", true}, {"Z", false}},
			  {{{"\xc3\xbc"}, {"10"}, {""}}, {{"long"}, {"1"}, {"z"}}},
			  false) == "A      N  Z\n\xc3\xbc     10\nlong   1  z\n");
}

TEST_CASE("status has the columns asked for, in that order")
{
	auto const columns = parse_columns(default_columns());
	REQUIRE(columns);
	CHECK(render_status({sample()}, *columns, false) ==
		"NAME  TARGET     STATE        PROGRESS          DONE/SIZE       DOWN  UP  PEERS         ETA  ERROR\n"
		"root  /dev/sda1  downloading    25.0 %  1.0 KiB / 4.0 KiB  3.0 MiB/s   -      2  1 min 15 s\n");
	CHECK(render_status({sample()}, {"peers", "name"}, false) == "PEERS  NAME\n    2  root\n");
	auto const unknown = parse_columns("name,colour");
	REQUIRE_FALSE(unknown);
	CHECK(unknown.failure().message.find("\"colour\"") != std::string::npos);
	CHECK_FALSE(parse_columns(""));
}

TEST_CASE("colours are there when asked for and only then")
{
	CHECK(render_status({sample()}, {"state"}, true).find("\x1b[36mdownloading\x1b[0m") != std::string::npos);
	CHECK(render_status({sample()}, {"state"}, false).find('\x1b') == std::string::npos);
}

TEST_CASE("the verbose view has the whole error")
{
	auto t = sample();
	t.failure = make_io_error("pwritev", "/dev/sda1", 1, 2, ENOSPC);
	t.failure->message = std::string(300, 'm');
	CHECK(render_status_verbose({t}, false).find(to_string(*t.failure)) != std::string::npos);
}

TEST_CASE("limits, priority and slow start are shown where there are any")
{
	auto t = sample();
	CHECK(render_status_verbose({t}, false).find("limits") == std::string::npos);
	CHECK(render_status_verbose({t}, false).find("slow start") == std::string::npos);
	t.priority = "low";
	t.is_held = true;
	t.upload_limit = 1024 * 1024;
	t.slow_start_rate = 2048;
	auto const text = render_status_verbose({t}, false);
	CHECK(text.find("low, waits for torrents that go first\n") != std::string::npos);
	CHECK(text.find("down none, up 1.0 MiB/s\n") != std::string::npos);
	CHECK(text.find("2.0 KiB/s for the whole daemon at the moment\n") != std::string::npos);
	CHECK(render_totals({t}).ends_with("; slow start: 2.0 KiB/s at most\n"));
}

TEST_CASE("totals add up what is shown")
{
	auto other = sample();
	other.state = "seeding";
	other.up_rate = 1024;
	CHECK(render_totals({sample(), other}) ==
		"2 torrents: 1 downloading, 1 seeding; 2.0 KiB of 8.0 KiB; "
		"down 6.0 MiB/s, up 1.0 KiB/s; 4 peers\n");
	CHECK(render_totals({}) == "no torrents\n");
}

TEST_CASE("progress weighs torrents by size")
{
	auto small = sample();
	small.size_bytes = 0;
	small.progress = 1;
	CHECK(render_progress({sample(), small}).find("[######..................] 25.0 %") == 0);
	CHECK(render_progress({}).find("0.0 %") != std::string::npos);
}

TEST_CASE("replies that lack everything are rendered without failing")
{
	for (auto const &reply :
		{json::object(), json{{"settings", 7}}, json{{"partitions", {1}}, {"totals", "x"}},
			json{{"torrents", {{{"peers", {json::object()}}}}}}}) {
		INFO(reply);
		CHECK_NOTHROW(render_peers(reply, false));
		CHECK_NOTHROW(render_settings(reply, false));
		CHECK_NOTHROW(render_values(reply));
		CHECK_NOTHROW(render_reload(reply));
		CHECK_NOTHROW(render_stats(reply, false));
	}
}

TEST_CASE("stats show hit rate, coalescing and latencies")
{
	auto const text = render_stats(
		json::parse(
			R"({"partitions":[{"index":0,"cache_hits":3,"cache_misses":1,"ahead_blocks":200,"ahead_unused_blocks":5,"write_ops":2,"blocks_written":128,
			"write_latency":{"count":2,"p50_us":900,"p95_us":1500,"p99_us":2000000,"max_us":2000000}}],
			"totals":{},"budget":{"capacity_bytes":1048576,"used_bytes":1024},
			"hashers":[{"index":0,"hashed_bytes":0,"pieces":0,"lanes_filled":0.0},
			{"index":1,"hashed_bytes":2048,"pieces":12,"lanes_filled":3.25}],"events":{"published":3,"by_kind":{"warning":3}},
			"uptime_ms":61000})"),
		false);
	CHECK(text.find("PEERS WAIT AT") == std::string::npos);
	CHECK(text.find("75.0 %") != std::string::npos);
	CHECK(text.find(" 2.5 %") != std::string::npos);
	CHECK(text.find("64.0") != std::string::npos);
	CHECK(text.find("900 us  1.5 ms  2.00 s  2.00 s") != std::string::npos);
	CHECK(text.find("1.0 KiB of 1.0 MiB in use") != std::string::npos);
	CHECK(text.find("HASHER   HASHED  PIECES  LANES\n"
					"     0      0 B       0      -\n"
					"     1  2.0 KiB      12    3.2\n") != std::string::npos);
	CHECK(text.find("events: 3, warning 3\nup 1 min 01 s\n") != std::string::npos);
}

TEST_CASE("stats show whose partitions are slow, and what a device's partitions did together")
{
	auto const text =
		render_stats(json::parse(
						 R"({"partitions":[{"index":0,"device":"/dev/sda","cache_hits":3,"cache_misses":1},
			{"index":2,"device":"/dev/sdb","cache_hits":9,"cache_misses":1,
			"write_latency":{"count":2,"p50_us":900,"p95_us":1500,"p99_us":2000000,"max_us":2000000}},
			{"index":1,"device":"/dev/sda","cache_hits":1,"cache_misses":1}],
			"devices":[{"device":"/dev/sda","partitions":2,"cache_hits":4,"cache_misses":2},
			{"device":"/dev/sdb","partitions":1,"cache_hits":9,"cache_misses":1}]})"),
			false);
	auto const first = text.find("        0  /dev/sda  75.0 %");
	auto const second = text.find("        1  /dev/sda  50.0 %");
	auto const both = text.find("      all  /dev/sda  66.6 %");
	auto const other = text.find("        2  /dev/sdb  90.0 %");
	REQUIRE(both != std::string::npos);
	REQUIRE(other != std::string::npos);
	CHECK(first < second);
	CHECK(second < both);
	CHECK(both < other);
	CHECK(text.find("all  /dev/sdb") == std::string::npos);
	CHECK(text.find("        2  /dev/sdb  write        2  900 us") != std::string::npos);
}

TEST_CASE("stats show of each device what it has to write and how its peers are held back")
{
	auto const text = render_stats(
		json::parse(
			R"({"devices":[{"device":"/dev/sda","kind":"rotational","partitions":2,"dirty_bytes":1048576,
			"dirty_mark_bytes":4194304,"drain_bytes_per_second":3145728,"backpressure_count":5,"backpressure_ms":1234}]})"),
		false);
	CHECK(text.find("/dev/sda  rotational           2  1.0 MiB        4.0 MiB  3.0 MiB/s      5  1234 ms") !=
		std::string::npos);
}

TEST_CASE("a setting whose value in force differs says so")
{
	json const reply{{"settings",
		{{{"key", "aio-threads"}, {"value", "auto"}, {"effective", "2"}},
			{{"key", "peer"}, {"value", ""}, {"effective", ""}}}}};
	CHECK(render_values(reply) == "aio-threads = auto (in force: 2)\npeer = \"\"\n");
}
