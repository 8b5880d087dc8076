#include "config/schema.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>

namespace ezio
{

TEST_CASE("no two keys of the schema share a name, nor a key and a table")
{
	std::set<std::string_view> keys;
	std::set<std::string_view> tables{"libtorrent", "torrent"};
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		CHECK(keys.insert(row.key).second);
		tables.insert(row.table);
	}
	for (auto const table : tables)
		CHECK(keys.count(table) == 0);
}

TEST_CASE("keys of one table stand together")
{
	std::set<std::string_view> seen;
	std::string_view last;
	for (auto const &row : schema()) {
		if (row.table != last)
			CHECK(seen.insert(row.table).second);
		last = row.table;
	}
}

TEST_CASE("every default is allowed and written canonically")
{
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		auto const value = parse_value(row, row.default_text);
		REQUIRE(value);
		CHECK(canonical_text(*value) == row.default_text);
		CHECK(default_value(row) == *value);
	}
}

TEST_CASE("every row says what it means, in a sentence, and what it allows")
{
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		CHECK(row.help.size() > 10);
		CHECK(row.help.back() == '.');
		CHECK_FALSE(allowed_text(row).empty());
		auto const is_text = row.type == setting_type::string || row.type == setting_type::string_list;
		CHECK(is_text == (row.check != nullptr));
		CHECK((row.type == setting_type::word) == !row.words.empty());
	}
}

TEST_CASE("a row is found by its key, with or without its table")
{
	auto const *row = find_row("cache-size");
	REQUIRE(row != nullptr);
	CHECK(find_row("disk.cache-size") == row);
	CHECK(find_row("log.cache-size") == nullptr);
	CHECK(find_row("diskXcache-size") == nullptr);
	CHECK(find_row("cache_size") == nullptr);
	CHECK(find_row("disk") == nullptr);
	CHECK(find_row("") == nullptr);
}

TEST_CASE("the text of log.levels names exactly the components there are")
{
	auto const *row = find_row("levels");
	REQUIRE(row != nullptr);
	std::string names;
	for (auto const name : log_component_names())
		names += (names.empty() ? "" : ", ") + std::string(name);
	CHECK(std::string(row->shape).ends_with("components: " + names));
}

TEST_CASE("the words of log.level are the known levels")
{
	std::string words;
	for (auto const name : log_level_names())
		words += (words.empty() ? "" : " ") + std::string(name);
	CHECK(find_row("level")->words == words);
}

TEST_CASE("a mistyped name is answered with the closest known one, a strange one with none")
{
	std::vector<std::string_view> const known{"cache-size", "prefetch", "dht"};
	CHECK(closest_name("cach-size", known) == "cache-size");
	CHECK(closest_name("cache_size", known) == "cache-size");
	CHECK(closest_name("dth", known).empty());
	CHECK(closest_name("dhd", known) == "dht");
	CHECK(closest_name("elephant", known).empty());
	CHECK(closest_name("", known).empty());
	CHECK(closest_name(std::string(100'000, 'x'), known).empty());
}

} // namespace ezio
