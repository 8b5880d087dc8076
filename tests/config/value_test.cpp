#include "config/schema.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace ezio
{
namespace
{

schema_row const &row_of(std::string_view key)
{
	auto const *row = find_row(key);
	REQUIRE(row != nullptr);
	return *row;
}

std::string failure_of(std::string_view key, std::string_view text)
{
	auto const value = parse_value(row_of(key), text);
	REQUIRE_FALSE(value);
	CHECK(value.failure().code == errc::out_of_range);
	return value.failure().message;
}

std::int64_t number_of(std::string_view key, std::string_view text)
{
	auto const value = parse_value(row_of(key), text);
	REQUIRE(value);
	return std::get<std::int64_t>(*value);
}

std::uint64_t test_seed()
{
	auto const *text = std::getenv("EZIO_TEST_SEED");
	auto const seed = text != nullptr ? std::stoull(text) : std::random_device{}();
	std::cout << "EZIO_TEST_SEED=" << seed << '\n';
	return seed;
}

std::string pick(std::mt19937_64 &random, std::vector<std::string> const &choices)
{
	return choices[random() % choices.size()];
}

/// Some text that the row's check accepts.
std::string random_text(schema_row const &row, std::mt19937_64 &random)
{
	auto const number = [&random](std::uint64_t bound) { return std::to_string(random() % bound); };
	auto const port = std::to_string(1 + random() % 65535);
	if (row.key == "endpoint" || row.key == "events-endpoint")
		return pick(random, {"ipc:///tmp/a," + number(9) + "\\b", "tcp://127.0.0.1:" + port});
	if (row.key == "socket-mode")
		return "0" + number(8) + number(8) + number(8);
	if (row.key == "socket-group")
		return pick(random, {"", "disk", number(70000)});
	if (row.key == "directory")
		return pick(random, {"auto", "none", "/var/lib/a b,c\\d\"e", "/\xc3\xa4"});
	if (row.key == "file" || row.key == "curve-secret-key" || row.key == "authorized-keys")
		return pick(random, {"", "/var/log/a b,c\\d\"e.log", "/\xc3\xa4"});
	if (row.key == "levels")
		return std::string(log_component_names()[random() % log_component_names().size()]) + "=" +
			std::string(log_level_names()[random() % log_level_names().size()]);
	if (row.key == "listen")
		return pick(random, {"[::]:" + port, "10.1.2.3:" + port, "eth0:0"});
	if (row.key == "metrics-listen")
		return pick(random, {"", "127.0.0.1:" + port});
	if (row.key == "trackers")
		return pick(random, {"udp://t:" + port, "http://t/a,b\\,c?d=" + number(9), "https://t/\\"});
	FAIL("no generator for " << row.key);
	return {};
}

setting_value random_value(schema_row const &row, std::mt19937_64 &random)
{
	switch (row.type) {
	case setting_type::boolean:
		return random() % 2 == 0;
	case setting_type::integer:
	case setting_type::size:
	case setting_type::rate:
	case setting_type::duration:
		if (row.is_auto_allowed && random() % 4 == 0)
			return automatic{};
		return std::uniform_int_distribution<std::int64_t>(row.min, row.max)(random);
	case setting_type::word: {
		std::vector<std::string> words{""};
		for (auto const c : row.words) {
			if (c == ' ')
				words.emplace_back();
			else
				words.back() += c;
		}
		return pick(random, words);
	}
	case setting_type::string:
		return random_text(row, random);
	case setting_type::string_list: {
		std::vector<std::string> items(random() % 5);
		for (auto &item : items)
			item = random_text(row, random);
		return items;
	}
	}
	return {};
}

} // namespace

TEST_CASE("the canonical text of any allowed value means that value")
{
	constexpr int rounds = 200;
	std::mt19937_64 random(test_seed());
	for (auto const &row : schema()) {
		for (int i = 0; i < rounds; ++i) {
			auto const value = random_value(row, random);
			auto const text = canonical_text(value);
			CAPTURE(row.key, text);
			REQUIRE(check_value(row, value));
			auto const again = parse_value(row, text);
			REQUIRE(again);
			REQUIRE(*again == value);
		}
	}
}

TEST_CASE("every number is allowed at its bounds and refused one beyond")
{
	for (auto const &row : schema()) {
		if (row.max == row.min)
			continue;
		CAPTURE(row.key);
		CHECK(parse_value(row, std::to_string(row.min)));
		CHECK(parse_value(row, std::to_string(row.max)));
		CHECK_FALSE(parse_value(row, std::to_string(row.min - 1)));
		CHECK_FALSE(parse_value(row, std::to_string(row.max + 1)));
		CHECK(parse_value(row, "auto").has_value() == row.is_auto_allowed);
	}
}

TEST_CASE("a refused value is answered with the key and what is allowed")
{
	CHECK(failure_of("cache-size", "12") == "cache-size: 12 is too small (allowed: 64 to 1048576 MiB)");
	CHECK(failure_of("hashing-threads", "65") ==
		"hashing-threads: 65 is too large (allowed: 0 to 64, or auto; 0: the disk partitions hash by "
		"themselves)");
	CHECK(failure_of("format", "xml") == "format: 'xml' is none of the words (allowed: one of: text, json)");
	CHECK(failure_of("dht", "maybe") == "dht: 'maybe' is neither true nor false (allowed: true or false)");
	CHECK(failure_of("socket-mode", "rw") ==
		"socket-mode: 'rw': it is not a file mode (allowed: octal digits from 0000 to 0777)");
}

TEST_CASE("a size, rate or time may carry a unit")
{
	CHECK(number_of("cache-size", "2GiB") == 2048);
	CHECK(number_of("cache-size", "2 GiB") == 2048);
	CHECK(number_of("cache-size", "65536KiB") == 64);
	CHECK(number_of("cache-size", "1TiB") == 1048576);
	CHECK(number_of("upload-limit", "10MiB/s") == 10240);
	CHECK(number_of("coalesce-delay", "2s") == 2000);
	CHECK(failure_of("cache-size", "100000KiB").find("not a whole number of MiB") != std::string::npos);
	CHECK(failure_of("cache-size", "2GB").find("unit such as MiB") != std::string::npos);
	CHECK(failure_of("upload-limit", "10MiB").find("unit such as KiB/s") != std::string::npos);
	CHECK(failure_of("max-uploads", "8KiB").find("not a whole number") != std::string::npos);
}

TEST_CASE("what is no number is not taken for one")
{
	for (auto const *text : {"", " ", "x", "64x", "0x80", "6 4", "64.5", "+64", "1e3", "--64", "64MiBMiB",
			 "99999999999999999999", "9223372036854775807TiB"}) {
		CAPTURE(text);
		CHECK_FALSE(parse_value(row_of("cache-size"), text));
	}
}

TEST_CASE("commas divide a list, and spaces round an item do not count")
{
	auto const value = parse_value(row_of("listen"), "1.2.3.4:5, [::1]:6 ,eth0:0");
	REQUIRE(value);
	CHECK(std::get<std::vector<std::string>>(*value) ==
		std::vector<std::string>{"1.2.3.4:5", "[::1]:6", "eth0:0"});
	CHECK(std::get<std::vector<std::string>>(*parse_value(row_of("listen"), "")).empty());
}

TEST_CASE("a comma in an item is written with a backslash")
{
	setting_value const value = std::vector<std::string>{"http://t/a,b", "udp://u:1"};
	CHECK(canonical_text(value) == "http://t/a\\,b,udp://u:1");
}

TEST_CASE("a list with an empty item or a backslash at its end is refused")
{
	CHECK(failure_of("listen", "1.2.3.4:5,").find("an item is empty") != std::string::npos);
	CHECK(failure_of("listen", ",").find("an item is empty") != std::string::npos);
	CHECK(failure_of("trackers", "udp://t:1\\").find("backslash") != std::string::npos);
}

TEST_CASE("a list holds 64 items of 1024 bytes and no more")
{
	auto const &row = row_of("trackers");
	std::string const longest = "http://t/" + std::string(setting_item_bytes_max - 9, 'x');
	std::vector<std::string> items(setting_list_items_max, longest);
	CHECK(check_value(row, items));
	items.push_back(longest);
	CHECK_FALSE(check_value(row, items));
	CHECK_FALSE(check_value(row, std::vector<std::string>{longest + "x"}));
}

TEST_CASE("a string holds 4096 bytes and no more, and no control character")
{
	auto const &row = row_of("file");
	CHECK(check_value(row, "/" + std::string(setting_text_bytes_max - 1, 'x')));
	CHECK_FALSE(check_value(row, "/" + std::string(setting_text_bytes_max, 'x')));
	CHECK_FALSE(check_value(row, std::string("/a\nb")));
	CHECK_FALSE(check_value(row, std::string("/a\0b", 4)));
}

TEST_CASE("a message shows long and strange texts shortened and harmless")
{
	auto const message = failure_of("level", std::string(10'000, 'x') + "\x1b[31m");
	CHECK(message.size() < 300);
	CHECK(failure_of("level", "a\x1b[31m").find('\x1b') == std::string::npos);
}

TEST_CASE("a value of another type is refused")
{
	CHECK_FALSE(check_value(row_of("cache-size"), true));
	CHECK_FALSE(check_value(row_of("cache-size"), automatic{}));
	CHECK_FALSE(check_value(row_of("dht"), std::int64_t{1}));
	CHECK_FALSE(check_value(row_of("listen"), std::string("1.2.3.4:5")));
	CHECK_FALSE(check_value(row_of("level"), std::vector<std::string>{"info"}));
}

} // namespace ezio
