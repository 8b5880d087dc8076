#include "config/config.hpp"
#include "config/load.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace ezio
{
namespace
{

/// Knows "choking" (an integer) and "agent" (any text).
result<std::string> foreign_keys(std::string_view key, std::string_view text, foreign_kind)
{
	if (key == "agent")
		return std::string(text);
	if (key != "choking")
		return make_error(errc::unknown_key, "no such key");
	if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos)
		return make_error(errc::out_of_range, "choking: not a number");
	return std::string(text);
}

} // namespace

TEST_CASE("a new configuration holds every default")
{
	configuration const c;
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		CHECK(c.value(row) == default_value(row));
		CHECK(c.origin(row) == value_origin::default_value);
	}
	CHECK(c.check_relations().empty());
	CHECK(c.integer("cache-size") == 512);
	CHECK(c.integer("disk.cache-size") == 512);
	CHECK_FALSE(c.integer_or_auto("aio-threads").has_value());
	CHECK_FALSE(c.boolean("dht"));
	CHECK(c.text("level") == "info");
	CHECK(c.list("listen").size() == 2);
}

TEST_CASE("a key that is set tells old and new value, and whether it is live")
{
	configuration c;
	auto const change = c.set("cache-size", "2GiB");
	REQUIRE(change);
	CHECK(change->table == "disk");
	CHECK(change->key == "cache-size");
	CHECK(change->old_text == "512");
	CHECK(change->new_text == "2048");
	CHECK(change->is_live);
	CHECK(*c.get("cache-size") == "2048");
	CHECK(c.origin(*find_row("cache-size")) == value_origin::set);
	auto const restart = c.set("disk.direct-io", "off");
	REQUIRE(restart);
	CHECK(restart->old_text == "auto");
	CHECK_FALSE(restart->is_live);
}

TEST_CASE("a refused value changes nothing")
{
	configuration c;
	auto const change = c.set("cache-size", "63");
	REQUIRE_FALSE(change);
	CHECK(change.failure().code == errc::out_of_range);
	CHECK(diff(configuration(), c).empty());
	CHECK(c.origin(*find_row("cache-size")) == value_origin::default_value);
}

TEST_CASE("an unknown key is answered with a similar one")
{
	configuration c;
	auto const change = c.set("cach-size", "64");
	REQUIRE_FALSE(change);
	CHECK(change.failure().code == errc::unknown_key);
	CHECK(change.failure().message == "there is no key 'cach-size'; did you mean 'cache-size'?");
	auto const value = c.get("disk.elephant");
	REQUIRE_FALSE(value);
	CHECK(value.failure().message == "there is no key 'disk.elephant'");
}

TEST_CASE("a slow start begins below its end")
{
	configuration c;
	CHECK_FALSE(c.set("slow-start", "122880"));
	REQUIRE(c.set("slow-start", "122879"));
	auto const change = c.set("slow-start-end", "122879");
	REQUIRE_FALSE(change);
	CHECK(change.failure().message ==
		"slow-start: it would end before it begins, at 122879 KiB/s (allowed: less than slow-start-end; or "
		"0)");
	CHECK(c.set("slow-start", "0"));
	CHECK(c.set("slow-start-end", "1"));
}

TEST_CASE("values that exclude each other are refused and the old one stays")
{
	configuration c;
	REQUIRE(c.set("dirty-limit", "512"));
	auto const change = c.set("dirty-limit", "513");
	REQUIRE_FALSE(change);
	CHECK(change.failure().code == errc::out_of_range);
	CHECK(change.failure().message ==
		"dirty-limit: 513 MiB is more than cache-size (allowed: at most cache-size, which is 512 MiB; or "
		"auto)");
	CHECK(c.integer_or_auto("dirty-limit") == 512);
	CHECK_FALSE(c.set("cache-size", "511"));
	CHECK(c.integer("cache-size") == 512);
	CHECK_FALSE(c.set("events-endpoint", c.text("endpoint")));
	CHECK_FALSE(c.set("levels", "disk=debug,disk=info"));
	CHECK(c.set("levels", "disk=debug,hash=debug"));
}

TEST_CASE("an endpoint that other machines reach needs keys")
{
	for (auto const *key : {"endpoint", "events-endpoint"}) {
		CAPTURE(key);
		auto const refused = configuration().set(key, "tcp://0.0.0.0:5555");
		REQUIRE_FALSE(refused);
		CHECK(refused.failure().message.find("would let everybody in") != std::string::npos);
		CHECK(refused.failure().message.find("curve-secret-key") != std::string::npos);
	}
	CHECK(configuration().set("endpoint", "tcp://127.0.0.1:5555"));
	auto const faults = [](char const *text) {
		auto const report = parse_config(text, "f");
		std::string keys;
		for (auto const &fault : report.faults)
			keys += fault.key + " ";
		return keys;
	};
	CHECK(faults("control.endpoint = 'tcp://*:1'\ncontrol.events-endpoint = 'tcp://*:2'\n"
				 "control.curve-secret-key = '/k'\ncontrol.authorized-keys = '/a'")
			  .empty());
	CHECK(faults("control.endpoint = 'tcp://*:1'\ncontrol.events-endpoint = 'tcp://*:2'") ==
		"control.endpoint control.events-endpoint ");
	CHECK(faults("control.curve-secret-key = '/k'") == "control.curve-secret-key ");
	CHECK(faults("control.authorized-keys = '/a'") == "control.authorized-keys ");
}

TEST_CASE("a key of libtorrent is asked for, kept and found by either name")
{
	configuration c;
	auto const change = c.set("choking", "7", foreign_keys);
	REQUIRE(change);
	CHECK(change->table == "libtorrent");
	CHECK(change->row == nullptr);
	CHECK(change->old_text.empty());
	CHECK(*c.get("choking") == "7");
	CHECK(*c.get("libtorrent.choking") == "7");
	CHECK(c.set("libtorrent.choking", "8", foreign_keys)->old_text == "7");
	CHECK(c.set("choking", "x", foreign_keys).failure().code == errc::out_of_range);
	CHECK(c.set("choke", "1", foreign_keys).failure().code == errc::unknown_key);
	CHECK(c.set("choking", "9").failure().code == errc::unknown_key);
	CHECK(c.libtorrent().at("choking") == "8");
}

TEST_CASE("libtorrent's keys are limited in number, those already set stay free to change")
{
	configuration c;
	auto const any = [](std::string_view, std::string_view text, foreign_kind) -> result<std::string> {
		return std::string(text);
	};
	for (std::size_t i = 0; i < foreign_keys_max; ++i)
		REQUIRE(c.set("key" + std::to_string(i), "1", any));
	CHECK_FALSE(c.set("one-more", "1", any));
	CHECK(c.set("key0", "2", any));
}

TEST_CASE("a difference lists the changed keys of the schema in order, then libtorrent's")
{
	configuration before;
	configuration after;
	REQUIRE(before.set("agent", "old", foreign_keys));
	REQUIRE(after.set("choking", "3", foreign_keys));
	REQUIRE(after.set("dht", "on"));
	REQUIRE(after.set("cache-size", "64"));
	REQUIRE(after.set("max-uploads", "0")); // as by default
	auto const changes = diff(before, after);
	REQUIRE(changes.size() == 4);
	CHECK(changes[0].key == "cache-size");
	CHECK(changes[0].old_text == "512");
	CHECK(changes[0].new_text == "64");
	CHECK(changes[1].key == "dht");
	CHECK(changes[2].key == "agent");
	CHECK(changes[2].old_text == "old");
	CHECK(changes[2].new_text.empty());
	CHECK(changes[3].key == "choking");
	CHECK(changes[3].new_text == "3");
	CHECK(diff(after, after).empty());
}

} // namespace ezio
