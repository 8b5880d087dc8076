#include "config/toml_tree.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace ezio
{
namespace
{

std::string repeated(std::string const &text, std::size_t count)
{
	std::string out;
	for (std::size_t i = 0; i < count; ++i)
		out += text;
	return out;
}

constexpr std::size_t far_too_deep = 100'000;

} // namespace

TEST_CASE("nesting is allowed to its limit and refused beyond, whatever its form")
{
	auto const limit = std::size_t{toml_nesting_max};
	auto const nested = [](std::size_t depth) {
		return "x = " + repeated("[", depth) + repeated("]", depth);
	};
	CHECK_FALSE(parse_toml(nested(limit)).fault);
	auto const fault = parse_toml("\n\n" + nested(limit + 1)).fault;
	REQUIRE(fault);
	CHECK(fault->at.line == 3);
	CHECK_FALSE(parse_toml("a" + repeated(".a", limit) + " = 1").fault);
	CHECK(parse_toml("a" + repeated(".a", limit + 1) + " = 1").fault);
	CHECK(parse_toml("[a" + repeated(".a", limit + 1) + "]").fault);
	CHECK(parse_toml("[a" + repeated(" . \"a\"", limit + 1) + "]").fault);
	CHECK(parse_toml("x = {a" + repeated(".a", limit + 1) + " = 1}").fault);
}

TEST_CASE("a file nested a hundred thousand deep is a fault and no crash")
{
	CHECK(parse_toml("x = " + repeated("[", far_too_deep)).fault);
	CHECK(parse_toml("x = " + repeated("{a=", far_too_deep)).fault);
	CHECK(parse_toml("a" + repeated(".a", far_too_deep) + " = 1").fault);
	CHECK(parse_toml("x = {y = \"\"\"z\"\"\"\", b" + repeated(".b", far_too_deep) + " = 1}").fault);
	CHECK(parse_toml("x = 'it\\' # \"\na" + repeated(".a", far_too_deep) + " = 1").fault);
}

TEST_CASE("a table without a name is a fault, in builds with assertions too")
{
	for (auto const *text :
		{"[{a]", "[=]", "[[,]]", "[\x01]", "[a.{b]", "[a.]", "[#a]", "[", "[[", "[a.", "= 1", "{ = 1"}) {
		CAPTURE(text);
		CHECK(parse_toml(text).fault);
		CHECK(parse_toml(std::string(text) + "\nx = 1\n").fault);
	}
}

TEST_CASE("a letter beyond ASCII is at home in strings and comments only")
{
	for (std::string const letter : {"\xc3\xa6", "\xe3\x81\x82", "\xc2\xa0", "\xef\xbb\xbe"}) {
		CAPTURE(letter);
		for (auto const &text :
			{"x = 1 a" + letter, letter + "a = 1", "x = 26." + letter, "x = 26.'" + letter + "'",
				"x = \"\"\"a\\" + letter + "\"\"\"", "x = \"a\"" + letter + "a"}) {
			CAPTURE(text);
			CHECK(parse_toml(text).fault);
		}
		auto const fine = parse_toml("\xef\xbb\xbf# " + letter + "\nx = \"" + letter + "\"\n'" + letter +
			"' = '" + letter + "'\ny = \"\"\"a\\\n " + letter + "b\"\"\" # " + letter);
		CHECK_FALSE(fine.fault);
		CHECK(find_member(fine.root, letter) != nullptr);
	}
}

TEST_CASE("brackets and dots in strings and comments are not nesting")
{
	auto const deep = repeated("[", far_too_deep) + repeated(".a", far_too_deep);
	CHECK_FALSE(parse_toml("# " + deep + "\n").fault);
	CHECK_FALSE(parse_toml("x = \"\\\"" + deep + "\"").fault);
	CHECK_FALSE(parse_toml("x = '" + deep + "'").fault);
	CHECK_FALSE(parse_toml("x = \"\"\"\n\\\"\"\"" + deep + "\"\"\"\n").fault);
	CHECK_FALSE(parse_toml("x = '''\n" + deep + "'''").fault);
}

TEST_CASE("an array of many numbers is not deep")
{
	CHECK_FALSE(parse_toml("x = [" + repeated("1.5, ", 10'000) + "]").fault);
	CHECK_FALSE(parse_toml(repeated("[[t]]\nx.y = {z = [1]}\n", 1000)).fault);
}

TEST_CASE("values are the same whatever their order and place")
{
	auto const a = parse_toml("[t]\nx = 1\ny = [true, 'a']\n");
	auto const b = parse_toml("# c\nt = {y = [ true , \"a\" ], x = 0x1}\n");
	auto const other = parse_toml("[t]\nx = 1\ny = ['a', true]\n");
	REQUIRE_FALSE((a.fault || b.fault || other.fault));
	CHECK(is_same(a.root, b.root));
	CHECK_FALSE(is_same(a.root, other.root));
	CHECK_FALSE(is_same(a.root, parse_toml("[t]\nx = 1\n").root));
	CHECK_FALSE(is_same(parse_toml("t = 1.5").root, parse_toml("t = 1").root));
}

} // namespace ezio
