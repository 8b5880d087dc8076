#include "ctl/wire/protocol.hpp"
#include "ctl/wire/verbs.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

using namespace ezio;
using namespace ezio::wire;
using nlohmann::json;

namespace
{

std::string refusal(char const *verb, json const &args)
{
	auto const *info = find_verb(verb);
	REQUIRE(info != nullptr);
	auto const checked = check_args(*info, args);
	if (checked)
		return "accepted";
	CHECK(checked.failure().code == errc::invalid_argument);
	return checked.failure().message;
}

json good_add()
{
	return {{"torrent_base64", "Zm9v"}, {"target", "/dev/loop0"}, {"seed", true}, {"sequential", false},
		{"paused", false}, {"check", true}, {"peers", {"10.0.0.1:6881"}}, {"trackers", json::array()},
		{"uploads_max", 4}, {"connections_max", 2}, {"allow", {"mounted"}}};
}

} // namespace

TEST_CASE("an add with all its arguments is accepted")
{
	CHECK(refusal("add", good_add()) == "accepted");
}

TEST_CASE("each argument of the wrong type is named")
{
	auto const good = good_add();
	for (auto const &[name, value] : good.items()) {
		for (auto const &wrong : {json(nullptr), json(1.5), json::object()}) {
			auto args = good_add();
			args[name] = wrong;
			INFO(name << " = " << wrong);
			CHECK(refusal("add", args).find("\"" + name + "\"") != std::string::npos);
		}
	}
	CHECK(refusal("status", {{"selectors", {"all", 7}}}) ==
		"argument \"selectors\" of status must be an array of strings");
	CHECK(refusal("set", {{"key", "cache-size"}, {"value", 2048}}) ==
		"argument \"value\" of set must be a string");
}

TEST_CASE("an unknown argument is named, and cut where it is long")
{
	CHECK(refusal("ping", {{"loud", true}}) == "argument \"loud\" of ping is unknown");
	CHECK(refusal("ping", {{std::string(1000, 'x'), 1}}).size() < 120);
}

TEST_CASE("arguments that are no object are refused")
{
	CHECK(refusal("ping", json::array()) == "the arguments of ping must be an object");
}

TEST_CASE("a required argument that is missing or empty is named")
{
	CHECK(refusal("pause", json::object()) == "argument \"selectors\" of pause is missing");
	CHECK(refusal("pause", {{"selectors", json::array()}}) ==
		"argument \"selectors\" of pause must not be empty");
	CHECK(refusal("set", {{"key", ""}, {"value", "1"}}) == "argument \"key\" of set must not be empty");
}

TEST_CASE("status and peers may name no torrent")
{
	CHECK(refusal("status", json::object()) == "accepted");
	CHECK(refusal("peers", {{"selectors", json::array()}}) == "accepted");
}

TEST_CASE("an integer is accepted within its limits only")
{
	auto const with = [](json number) {
		auto args = good_add();
		args["uploads_max"] = std::move(number);
		return refusal("add", args);
	};
	CHECK(with(1) == "accepted");
	CHECK(with(16777215) == "accepted");
	for (auto const &number : {json(0), json(-1), json(16777216), json(std::uint64_t(1) << 63),
			 json(0xffffffffffffffffu), json(std::int64_t(-1) << 62)}) {
		INFO(number);
		CHECK(with(number) == "argument \"uploads_max\" of add must be an integer from 1 to 16777215");
	}
}

TEST_CASE("text with a NUL or beyond its limit is refused")
{
	auto args = good_add();
	args["target"] = std::string("/dev/loop0\0x", 12);
	CHECK(refusal("add", args) == "argument \"target\" of add contains a NUL character");
	args["target"] = std::string(text_bytes_max, 'x');
	CHECK(refusal("add", args) == "accepted");
	args["target"] = std::string(text_bytes_max + 1, 'x');
	CHECK(refusal("add", args) == "argument \"target\" of add is too long");
	args = good_add();
	args["peers"] = json::array({std::string(text_bytes_max + 1, 'x')});
	CHECK(refusal("add", args) == "argument \"peers\" of add has an element that is too long");
}

TEST_CASE("the protocol page has a row for each verb, with each argument, and no other")
{
	std::ifstream page(EZIO_DOCS_DIR "/protocol.md");
	REQUIRE(page);
	std::set<std::string> documented;
	std::string line;
	bool is_table = false;
	while (std::getline(page, line)) {
		if (line.starts_with("| verb |"))
			is_table = true;
		else if (!line.starts_with("|"))
			is_table = false;
		else if (is_table && line.starts_with("| `")) {
			std::istringstream names(line.substr(2, line.find(" |") - 2));
			std::string quoted;
			while (names >> quoted) {
				REQUIRE(quoted.size() > 2);
				auto const name = quoted.substr(1, quoted.size() - 2);
				documented.insert(name);
				auto const *info = find_verb(name);
				INFO(name);
				REQUIRE(info != nullptr);
				auto const args_start = line.find(" |") + 2;
				auto const args = line.substr(args_start, line.find(" |", args_start) - args_start);
				for (auto const &arg : info->args) {
					INFO(arg.name);
					CHECK(args.find("`" + std::string(arg.name) + "`") != std::string::npos);
				}
				CHECK(std::ranges::count(args, '`') == std::ssize(info->args) * 2);
			}
		}
	}
	for (auto const &verb : verbs()) {
		INFO(verb.name);
		CHECK(documented.contains(std::string(verb.name)));
	}
	CHECK(documented.size() == verbs().size());
}

TEST_CASE("the verbs that only read are these, and whatever else there is changes something")
{
	std::set<std::string_view> reading;
	for (auto const &verb : verbs()) {
		if (verb.effect == verb_effect::reads)
			reading.insert(verb.name);
	}
	CHECK(reading ==
		std::set<std::string_view>{"get", "peers", "ping", "report", "stats", "status", "version"});
	CHECK(verb_info{}.effect == verb_effect::changes);
}
