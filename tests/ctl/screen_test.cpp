#include "ctl/render_fleet.hpp"
#include "ctl/screen.hpp"
#include "ctl/text_format.hpp"
#include "tests/ctl/fake_terminal.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;

namespace
{

node_row make_row(std::string name)
{
	node_row row;
	row.name = std::move(name);
	row.standing = node_standing::active;
	row.state = "downloading";
	row.torrents = 1;
	row.size_bytes = 1000;
	row.done_bytes = 500;
	row.progress = 0.5;
	return row;
}

std::vector<std::string> draw(std::size_t nodes, std::size_t first, screen_size size)
{
	std::vector<node_row> rows;
	std::vector<std::size_t> order;
	for (std::size_t i = 0; i < nodes; ++i) {
		order.push_back(i);
		rows.push_back(make_row("node" + std::to_string(i)));
	}
	fleet_totals totals;
	totals.nodes = nodes;
	totals.counts[node_standing::active] = nodes;
	return draw_fleet(totals, rows, order, first, size, false);
}

} // namespace

TEST_CASE("a screen shows what it is told, and sends only what has changed")
{
	screen s;
	fake_terminal terminal(4);
	std::vector<std::string> lines{"one", "two", "three", "four"};
	terminal.write(s.show(lines, {20, 4}));
	CHECK(terminal.lines == lines);
	CHECK(s.show(lines, {20, 4}).empty());
	lines[1] = "2";
	auto const change = s.show(lines, {20, 4});
	CHECK(change == "\x1b[2;1H2\x1b[K");
	terminal.write(change);
	CHECK(terminal.lines == lines);
}

TEST_CASE("a screen that was resized is drawn anew, and never beyond its last row")
{
	screen s;
	std::vector<std::string> const lines{"one", "two", "three"};
	static_cast<void>(s.show(lines, {20, 3}));
	fake_terminal terminal(2);
	terminal.lines[0] = "rubbish";
	terminal.write(s.show(lines, {20, 2}));
	CHECK(terminal.lines == std::vector<std::string>{"one", "two"});
	fake_terminal larger(5);
	larger.write(s.show(lines, {20, 5}));
	CHECK(larger.lines == std::vector<std::string>{"one", "two", "three", "", ""});
}

TEST_CASE("text is cut by columns, not within a character")
{
	CHECK(cut_to_width("abc", 3) == "abc");
	CHECK(cut_to_width("abc", 2) == "ab");
	CHECK(cut_to_width("\u00e4\u00f6\u00fc", 2) == "\u00e4\u00f6");
	CHECK(cut_to_width("", 0).empty());
	CHECK(cut_to_width("abc", 0).empty());
}

TEST_CASE("a screen that was forgotten is sent as a whole")
{
	screen s;
	auto const all = s.show({"one", "two"}, {20, 2});
	CHECK(s.show({"one", "two"}, {20, 2}).empty());
	s.forget();
	CHECK(s.show({"one", "two"}, {20, 2}) == all);
}

TEST_CASE("of a line only what differs is sent, with its colour")
{
	screen s;
	fake_terminal terminal(1);
	auto const show = [&](std::string const &line) {
		auto bytes = s.show({line}, {80, 1});
		terminal.write(bytes);
		return bytes;
	};
	static_cast<void>(show("sda1  downloading  10.0 %              3.0 MiB/s"));
	CHECK(show("sda1  downloading  10.5 %              3.9 MiB/s") == "\x1b[1;23H5\x1b[1;42H9");
	// Close to each other they go together.
	CHECK(show("sda1  downloading  21.5 %              3.9 MiB/s") == "\x1b[1;20H21");
	CHECK(show("sda1  \x1b[31mdownloading\x1b[0m  21.5 %              3.9 MiB/s") ==
		"\x1b[1;7H\x1b[31mdownloading\x1b[0m");
	CHECK(show("sda1  \x1b[31mdownloading\x1b[0m") == "\x1b[1;18H\x1b[K");
	CHECK(show("sda1") == "\x1b[1;5H\x1b[K");
	CHECK(show("sda1, sda2") == "\x1b[1;5H, sda2");
	CHECK(terminal.lines[0] == "sda1, sda2");
}

TEST_CASE("a line with characters of unknown width is sent as a whole")
{
	screen s;
	static_cast<void>(s.show({"\u7bb1 1"}, {80, 1}));
	CHECK(s.show({"\u7bb1 2"}, {80, 1}) == "\x1b[1;1H\u7bb1 2\x1b[K");
	CHECK(s.show({"a 2"}, {80, 1}) == "\x1b[1;1Ha 2\x1b[K");
}

TEST_CASE("any line becomes any other")
{
	std::vector<std::string> const lines{"", "a", "abc", "abd", "xbc", "a c", "\x1b[1mabc\x1b[0m",
		"a\x1b[7mb\x1b[0mc", "a long one that goes on and on", "a long 1 that goes on and On", "   ",
		"abc def ghi jkl mno"};
	for (auto const &from : lines) {
		for (auto const &to : lines) {
			INFO("\"" << from << "\" \"" << to << "\"");
			screen s;
			fake_terminal terminal(1);
			terminal.write(s.show({from}, {80, 1}));
			terminal.write(s.show({to}, {80, 1}));
			fake_terminal fresh(1);
			screen other;
			fresh.write(other.show({to}, {80, 1}));
			CHECK(terminal.lines == fresh.lines);
		}
	}
}

TEST_CASE("text with colours is cut by what is seen of it, and never leaves a colour behind")
{
	CHECK(cut_to_width("\x1b[31mabc\x1b[0md", 2) == "\x1b[31mab\x1b[0m");
	CHECK(cut_to_width("\x1b[31mabc\x1b[0md", 3) == "\x1b[31mabc\x1b[0m");
	CHECK(cut_to_width("\x1b[31mabc\x1b[0md", 4) == "\x1b[31mabc\x1b[0md");
}

TEST_CASE("text is wrapped at spaces, or within a word that is longer than the line")
{
	using lines = std::vector<std::string>;
	CHECK(wrap_to_width("", 5, 2) == lines{""});
	CHECK(wrap_to_width("one two", 7, 2) == lines{"one two"});
	CHECK(wrap_to_width("one two three", 7, 2) == lines{"one two", "  three"});
	CHECK(wrap_to_width("one twothree", 7, 2) == lines{"one", "  twoth", "  ree"});
	CHECK(wrap_to_width("abcdef", 1, 4) == lines{"a", "b", "c", "d", "e", "f"});
	CHECK(wrap_to_width("  abcdefgh", 6, 2) == lines{"  abcd", "  efgh"});
}

TEST_CASE("fleet top fits 80x24 and every other size")
{
	for (auto const size :
		{screen_size{80, 24}, screen_size{20, 5}, screen_size{1, 1}, screen_size{200, 60}}) {
		auto const lines = draw(202, 0, size);
		CHECK(lines.size() == size.rows);
		for (auto const &line : lines)
			CHECK(display_width(line) <= size.columns);
	}
	auto const lines = draw(202, 0, {80, 24});
	CHECK(lines[0] == "202 nodes: 202 active");
	CHECK(lines[2].find("NODE") == 0);
	CHECK(lines[3].find("node0 ") == 0);
	CHECK(lines[22].find("node19 ") == 0);
	CHECK(lines[23].find("1-20 of 202") != std::string::npos);
}

TEST_CASE("fleet top scrolls to the last node and stays there")
{
	auto const lines = draw(30, 10, {80, 24});
	CHECK(lines[3].find("node10 ") == 0);
	CHECK(lines[22].find("node29 ") == 0);
	CHECK(lines[23].find("11-30 of 30") != std::string::npos);
	auto const beyond = draw(3, 100, {80, 24});
	CHECK(beyond[3].empty());
	CHECK(draw(0, 0, {80, 24})[23].find("0-0 of 0") != std::string::npos);
}
