#include "ctl/commands.hpp"
#include "ctl/run.hpp"
#include "ctl/wire/verbs.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;

namespace
{

result<invocation> parse(std::vector<std::string> arguments)
{
	return parse_command_line(arguments);
}

std::string refusal(std::vector<std::string> arguments)
{
	auto const line = parse(std::move(arguments));
	if (line)
		return "accepted";
	CHECK(line.failure().code == errc::invalid_argument);
	return line.failure().message;
}

std::string read_file(std::string const &path)
{
	std::ifstream file(path);
	REQUIRE(file);
	return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

TEST_CASE("operands, options and their values are told apart, in any order")
{
	auto const line = parse(
		{"--json", "add", "--peer", "a:1", "x.torrent", "--seed", "--peer=b:2", "/dev/loop0", "--timeout=3"});
	REQUIRE(line);
	CHECK(line->command->name == "add");
	CHECK(line->operands == std::vector<std::string>{"x.torrent", "/dev/loop0"});
	CHECK(line->values("--peer") == std::vector<std::string>{"a:1", "b:2"});
	CHECK(line->has("--seed"));
	CHECK(line->has("--json"));
	CHECK(line->value("--timeout") == "3");
	CHECK_FALSE(line->has("--paused"));
}

TEST_CASE("an option given twice counts as given last")
{
	auto const line = parse({"status", "--sort", "name", "--sort", "speed"});
	REQUIRE(line);
	CHECK(line->values("--sort") == std::vector<std::string>{"speed"});
}

TEST_CASE("two dashes end the options")
{
	auto const line = parse({"remove", "--", "--json"});
	REQUIRE(line);
	CHECK(line->operands == std::vector<std::string>{"--json"});
	CHECK_FALSE(line->has("--json"));
}

TEST_CASE("watch takes a number if one follows and leaves other words alone")
{
	auto const with = parse({"status", "--watch", "0.5", "sda"});
	REQUIRE(with);
	CHECK(with->seconds("--watch").value() == 0.5);
	CHECK(with->operands == std::vector<std::string>{"sda"});
	auto const without = parse({"status", "--watch", "sda"});
	REQUIRE(without);
	CHECK(without->seconds("--watch").value() == std::nullopt);
	CHECK(without->operands == std::vector<std::string>{"sda"});
}

TEST_CASE("a wrong command line is refused with a hint")
{
	CHECK(refusal({}) == "which verb?; see ezioctl --help");
	CHECK(refusal({"fly"}) == "there is no verb \"fly\"; see ezioctl --help");
	CHECK(refusal({"status", "--fly"}) == "there is no option --fly; see ezioctl status --help");
	CHECK(refusal({"status", "--sort"}) == "--sort needs a value: KEY; see ezioctl status --help");
	CHECK(refusal({"status", "--reverse=yes"}) == "--reverse takes no value; see ezioctl status --help");
	CHECK(refusal({"add", "x.torrent"}) == "add needs TORRENT TARGET; see ezioctl add --help");
	CHECK(refusal({"pause"}) == "pause needs SEL...; see ezioctl pause --help");
	CHECK(refusal({"ping", "pong"}) == "ping: \"pong\" is one word too many; see ezioctl ping --help");
}

TEST_CASE("numbers of options are taken within their limits only")
{
	for (auto const *text : {"", "x", "1x", "0", "11", "-1", "1.5", "99999999999999999999", " 3"}) {
		auto const line = parse({"add", "t", "d", std::string("--max-uploads=") + text});
		REQUIRE(line);
		INFO(text);
		CHECK_FALSE(line->integer("--max-uploads", 1, 10));
	}
	auto const line = parse({"add", "t", "d", "--max-uploads", "10"});
	REQUIRE(line);
	CHECK(line->integer("--max-uploads", 1, 10).value() == 10);
	CHECK(line->integer("--max-connections", 1, 10).value() == std::nullopt);
	for (auto const *text : {"0", "-1", "x", "inf", "nan", "1e10"}) {
		auto const timed = parse({"ping", "--timeout", text});
		REQUIRE(timed);
		INFO(text);
		CHECK_FALSE(timed->seconds("--timeout"));
	}
}

TEST_CASE("help needs nothing else to be right")
{
	for (auto const &command : commands()) {
		auto const line = parse({std::string(command.name), "--help"});
		INFO(command.name);
		REQUIRE(line);
		CHECK(line->is_help);
		auto const text = help_text(line->command);
		CHECK(text.find("usage: ezioctl " + std::string(command.name)) == 0);
		for (auto const &option : command.options)
			CHECK(text.find(option.name) != std::string::npos);
	}
	auto const line = parse({"-h"});
	REQUIRE(line);
	CHECK(line->is_help);
	for (auto const &command : commands())
		CHECK(help_text(nullptr).find("\n  " + std::string(command.name) + " ") != std::string::npos);
}

TEST_CASE("every verb has a handler and every verb of the protocol is a verb of ezioctl")
{
	std::set<std::string_view> names;
	for (auto const &command : commands()) {
		INFO(command.name);
		CHECK(find_handler(command.name) != nullptr);
		CHECK(names.insert(command.name).second);
	}
	for (auto const &verb : wire::verbs()) {
		INFO(verb.name);
		CHECK(names.contains(verb.name));
	}
}

TEST_CASE("the manual's verbs are those of the table")
{
	constexpr char const *path = EZIO_DOCS_DIR "/cli.md";
	auto manual = read_file(path);
	std::string const start_mark = "rewrites it. -->\n\n";
	auto const start = manual.find(start_mark);
	auto const end = manual.find("<!-- end of the generated part -->");
	REQUIRE(start != std::string::npos);
	REQUIRE(end != std::string::npos);
	auto const begin = start + start_mark.size();
	if (std::getenv("EZIO_UPDATE_DOCS") != nullptr) {
		manual.replace(begin, end - begin, help_markdown());
		std::ofstream file(path);
		REQUIRE(file << manual);
		return;
	}
	CHECK(manual.substr(begin, end - begin) == help_markdown());
}

TEST_CASE("the manual has each global option")
{
	auto const manual = read_file(EZIO_DOCS_DIR "/cli.md");
	for (auto const &option : global_options()) {
		INFO(option.name);
		CHECK(manual.find(option.name) != std::string::npos);
		CHECK(manual.find(option.help) != std::string::npos);
	}
}
