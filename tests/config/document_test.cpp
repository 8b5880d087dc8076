#include "config/document.hpp"

#include "config/load.hpp"
#include "config/torrent_keys.hpp"
#include "tests/config/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <sstream>
#include <string>

namespace ezio
{
namespace
{

/// The shipped file with every key made active.
std::string with_keys_active(std::string const &toml)
{
	std::istringstream lines(toml);
	std::string out;
	for (std::string line; std::getline(lines, line);)
		out += (line.starts_with('#') && !line.starts_with("# ") ? line.substr(1) : line) + "\n";
	return out;
}

/// What stands in docs/config.md between the marks of a generated part.
std::string generated_part(std::string const &name)
{
	auto const begin = "<!-- " + name + ": begin -->\n";
	auto const end = "<!-- " + name + ": end -->\n";
	auto const text = read_all(EZIO_SOURCE_DIR "/docs/config.md");
	auto const from = text.find(begin);
	auto const to = text.find(end);
	REQUIRE(from != std::string::npos);
	REQUIRE(to != std::string::npos);
	return text.substr(from + begin.size(), to - from - begin.size());
}

} // namespace

TEST_CASE("config/eziod.toml is what the schema renders")
{
	CHECK(read_all(EZIO_SOURCE_DIR "/config/eziod.toml") == render_default_toml());
}

TEST_CASE("the shipped file is valid and changes nothing")
{
	auto const report = load_config(EZIO_SOURCE_DIR "/config/eziod.toml");
	REQUIRE(report.is_valid());
	CHECK(diff(configuration(), report.config).empty());
}

TEST_CASE("the shipped file names every key with its default, and only keys that exist")
{
	auto const report = parse_config(with_keys_active(render_default_toml()), "f");
	for (auto const &fault : report.faults)
		UNSCOPED_INFO(to_string(fault));
	REQUIRE(report.is_valid());
	CHECK(diff(configuration(), report.config).empty());
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		CHECK(report.config.origin(row) == value_origin::file);
	}
	CHECK(report.config.torrents().size() == 1);
}

TEST_CASE("the tables of keys in docs/config.md are what the schema renders")
{
	CHECK(generated_part("keys") == render_markdown());
	CHECK(generated_part("torrent keys") == render_torrent_markdown());
}

TEST_CASE("every default of a torrent's keys is allowed, and the shipped example names every key")
{
	auto const toml = render_default_toml();
	auto const example = toml.substr(toml.find("#[[torrent]]"));
	for (auto const &row : torrent_keys()) {
		CAPTURE(row.key);
		CHECK(example.find("\n#" + std::string(row.key) + " = ") != std::string::npos);
		if (!row.default_text.empty())
			CHECK(parse_value(row, row.default_text));
	}
}

TEST_CASE("the example in docs/config.md is a valid configuration")
{
	auto const text = read_all(EZIO_SOURCE_DIR "/docs/config.md");
	std::string const begin = "```toml\n";
	std::size_t count = 0;
	for (auto at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
		auto const from = at + begin.size();
		auto const report = parse_config(text.substr(from, text.find("```", from) - from), "example");
		for (auto const &fault : report.faults)
			UNSCOPED_INFO(to_string(fault));
		CHECK(report.is_valid());
		++count;
	}
	CHECK(count > 0);
}

TEST_CASE("help names every key and keeps to 100 columns")
{
	auto const help = render_help();
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		CHECK(help.find("  " + std::string(row.key) + " = ") != std::string::npos);
	}
	std::istringstream lines(help);
	for (std::string line; std::getline(lines, line);) {
		CAPTURE(line);
		CHECK(line.size() <= 100);
	}
}

} // namespace ezio
