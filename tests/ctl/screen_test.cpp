#include "ctl/render_fleet.hpp"
#include "ctl/screen.hpp"
#include "ctl/text_format.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;

namespace
{

/// What a terminal shows after those bytes, for the few sequences that screen uses.
class fake_terminal
{
public:
	explicit fake_terminal(std::size_t rows) : lines(rows) {}

	void write(std::string const &bytes)
	{
		for (std::size_t i = 0; i < bytes.size();) {
			if (bytes.compare(i, 7, "\x1b[H\x1b[2J") == 0) {
				lines.assign(lines.size(), "");
				i += 7;
			} else if (bytes.compare(i, 3, "\x1b[K") == 0) {
				lines[m_row].resize(m_column);
				i += 3;
			} else if (bytes.compare(i, 2, "\x1b[") == 0) {
				auto const end = bytes.find(';', i);
				m_row = std::stoul(bytes.substr(i + 2, end - i - 2)) - 1;
				REQUIRE(m_row < lines.size());
				REQUIRE(bytes.compare(end, 3, ";1H") == 0);
				m_column = 0;
				i = end + 3;
			} else {
				auto &line = lines[m_row];
				line.resize(std::max(line.size(), m_column + 1), ' ');
				line[m_column++] = bytes[i++];
			}
		}
	}
	std::vector<std::string> lines;

private:
	std::size_t m_row = 0;
	std::size_t m_column = 0;
};

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

TEST_CASE("keys are told apart, also when a sequence comes in pieces")
{
	std::string typed = "jk\x1b[A\x1b[6~xq";
	CHECK(take_keys(typed) ==
		std::vector<key>{key::down, key::up, key::up, key::page_down, key::other, key::quit});
	CHECK(typed.empty());
	typed = "\x1b[";
	CHECK(take_keys(typed).empty());
	typed += "B";
	CHECK(take_keys(typed) == std::vector<key>{key::down});
	typed = "\x1b\x1b[F";
	CHECK(take_keys(typed) == std::vector<key>{key::other, key::end});
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
