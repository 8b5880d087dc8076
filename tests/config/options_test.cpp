#include "daemon/options.hpp"

#include "config/schema.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace ezio
{
namespace
{

options parsed(std::vector<std::string> const &arguments)
{
	auto const outcome = parse_options(arguments);
	REQUIRE(outcome);
	return *outcome;
}

} // namespace

TEST_CASE("without arguments the daemon runs with defaults")
{
	CHECK(parsed({}).what == options::action::run);
	CHECK(parsed({}).config_path.empty());
}

TEST_CASE("the configuration file may be named in each usual way")
{
	for (auto const &arguments :
		std::vector<std::vector<std::string>>{{"-c", "/a"}, {"-c/a"}, {"--config", "/a"}, {"--config=/a"}}) {
		CHECK(parsed(arguments).config_path == "/a");
		CHECK(parsed(arguments).what == options::action::run);
	}
}

TEST_CASE("checking, version and help are recognised")
{
	CHECK(parsed({"-c", "/a", "--check-config"}).what == options::action::check_config);
	CHECK(parsed({"--check-config", "-c", "/a"}).config_path == "/a");
	CHECK(parsed({"--version"}).what == options::action::print_version);
	CHECK(parsed({"--help"}).what == options::action::print_help);
	CHECK(parsed({"-h", "nonsense"}).what == options::action::print_help);
}

TEST_CASE("what cannot be meant is refused with a hint")
{
	for (auto const &arguments : std::vector<std::vector<std::string>>{{"-c"}, {"--config"}, {"--config="},
			 {"-c", ""}, {"-x"}, {"file"}, {""}, {"--configure=/a"}, {"-c", "/a", "-c", "/b"},
			 {"--check-config"}, {"--version=1"}}) {
		auto const outcome = parse_options(arguments);
		REQUIRE_FALSE(outcome);
		CHECK(outcome.failure().code == errc::invalid_argument);
		CHECK(outcome.failure().message.ends_with("(try 'eziod --help')"));
	}
}

TEST_CASE("eziod's help names every option and every key")
{
	auto const help = help_text();
	for (auto const *option : {"-c, --config FILE", "--check-config", "--version", "-h, --help"})
		CHECK(help.find(option) != std::string::npos);
	for (auto const &row : schema())
		CHECK(help.find("  " + std::string(row.key) + " = ") != std::string::npos);
}

} // namespace ezio
