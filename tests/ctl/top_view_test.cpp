#include "ctl/top_view.hpp"
#include "tests/ctl/fake_terminal.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;
using namespace std::chrono_literals;
using nlohmann::json;

namespace
{

constexpr screen_size usual{80, 24};
/// The first row of the list on it.
constexpr std::size_t list_top = 6;

torrent_view make(std::string name, std::string state = "downloading")
{
	torrent_view t;
	t.info_hash = std::string(40, name.back());
	t.target = "/dev/" + name;
	t.name = std::move(name);
	t.state = std::move(state);
	t.size_bytes = 4096;
	t.done_bytes = 1024;
	t.progress = 0.25;
	t.pieces_total = 4;
	return t;
}

torrent_list list_of(std::vector<torrent_view> torrents)
{
	return {std::move(torrents), {}};
}

torrent_list numbered(std::size_t count)
{
	torrent_list list;
	for (std::size_t i = 0; i < count; ++i) {
		auto t = make("t" + std::to_string(100 + i));
		t.info_hash = std::to_string(100 + i) + std::string(37, '0');
		list.torrents.push_back(std::move(t));
	}
	return list;
}

class driven_view
{
public:
	explicit driven_view(torrent_list const &list, top_settings settings = {}) : view(std::move(settings))
	{
		view.heard_status(list, now);
	}

	bool type(std::string_view keys)
	{
		bool goes_on = true;
		for (auto const c : keys)
			goes_on = view.press({key::character, c}, usual);
		return goes_on;
	}
	bool press(key what) { return view.press({what}, usual); }
	std::vector<std::string> draw(screen_size size = usual) { return view.draw(size, now); }
	std::string status_line() { return draw()[22]; }
	/// The names in the list, the selected one marked.
	std::string names()
	{
		auto const lines = draw();
		std::string all;
		for (auto i = list_top; i < 22 && !lines[i].empty(); ++i)
			all += (all.empty() ? "" : " ") + std::string(lines[i][0] == '>' ? ">" : "") +
				lines[i].substr(2, lines[i].find(' ', 2) - 2);
		return all;
	}

	clock::time_point now = clock::time_point() + 1h;
	top_view view;
};

json stats()
{
	return json::parse(R"({"budget":{"capacity_bytes":1048576,"used_bytes":1024,"dirty_bytes":512},
		"totals":{"cache_hits":3,"cache_misses":1},
		"bottleneck":{"what":"disk","evidence":"/dev/sda is busy 97 % of the time"},
		"devices":[{"device":"/dev/b","kind":"rotational","errors":3},{"device":"/dev/a","kind":"solid-state"}]})");
}

bool contains(std::vector<std::string> const &lines, std::string_view text)
{
	for (auto const &line : lines) {
		if (line.find(text) != std::string::npos)
			return true;
	}
	return false;
}

} // namespace

TEST_CASE("top shows totals, the cache, the bottleneck and a row a torrent")
{
	auto moving = make("b");
	moving.down_rate = 3 << 20;
	moving.peers = 2;
	driven_view top(list_of({make("a", "seeding"), moving}), {.endpoint = "ipc:///run/ezio/control.sock"});
	top.view.heard_stats(stats());
	auto const lines = top.draw();
	REQUIRE(lines.size() == 24);
	CHECK(lines[0] == "eziod at ipc:///run/ezio/control.sock                    by name, all, every 2 s");
	CHECK(lines[1] == "2 torrents: 1 downloading, 1 seeding");
	CHECK(lines[2] == "2.0 KiB of 8.0 KiB; down 3.0 MiB/s, up -; 2 peers");
	CHECK(lines[3] == "cache 1.0 KiB of 1.0 MiB, 512 B to be written; hits 75.0 %");
	CHECK(lines[4] == "bottleneck: disk: /dev/sda is busy 97 % of the time");
	CHECK(lines[5].starts_with("  NAME  TARGET  STATE"));
	CHECK(lines[6].starts_with("> a     /dev/a"));
	CHECK(lines[7].starts_with("  b     /dev/b"));
	CHECK(lines[23].ends_with("1-2 of 2"));
}

TEST_CASE("top fits every size, whatever it shows")
{
	auto list = numbered(30);
	list.torrents[3].name = std::string(300, 'n');
	list.torrents[4].failure = make_io_error("pwritev", "/dev/sda1", 4096, 16384, ENOSPC);
	list.torrents[4].failure->message = std::string(300, 'm');
	for (auto const *keys : {"", "v", "h", "jjjj", "/x", "p"}) {
		for (auto const size :
			{usual, screen_size{1, 1}, screen_size{20, 5}, screen_size{40, 12}, screen_size{300, 80}}) {
			for (auto const is_detail : {false, true}) {
				INFO(keys << " " << size.columns << "x" << size.rows << " " << is_detail);
				driven_view top(list, {.use_colour = is_detail});
				top.view.heard_stats(stats());
				top.type("jjjj");
				if (is_detail)
					top.press(key::enter);
				top.type(keys);
				auto const lines = top.draw(size);
				CHECK(lines.size() == size.rows);
				for (auto const &line : lines)
					CHECK(cut_to_width(line, size.columns) == line);
			}
		}
	}
}

TEST_CASE("keys sort, reverse and filter as the options of status do")
{
	auto a = make("a", "seeding");
	auto b = make("b");
	auto c = make("c", "paused");
	a.size_bytes = 1;
	b.size_bytes = 3;
	c.size_bytes = 2;
	driven_view top(list_of({c, a, b}), {.key = sort_key::peers});
	CHECK(top.names() == ">a b c");
	top.type("s");
	CHECK(top.draw()[0].ends_with("by size, all, every 2 s"));
	CHECK(top.names() == "b c >a");
	top.type("r");
	CHECK(top.draw()[0].ends_with("by size reversed, all, every 2 s"));
	CHECK(top.names() == ">a c b");
	top.type("r<");
	CHECK(top.draw()[0].ends_with("by peers, all, every 2 s"));
	top.type(">>");
	CHECK(top.draw()[0].ends_with("by eta, all, every 2 s"));
	top.type("ff");
	CHECK(top.draw()[0].ends_with("by eta, downloading, every 2 s"));
	CHECK(top.names() == ">b");
	top.type("f");
	CHECK(top.names() == ">a");
	top.type("fff");
	CHECK(top.names() == ">c");
	top.type("f");
	CHECK(top.draw()[list_top] == "  none of them passes the filter \"error\": f shows others");
	top.type("f");
	CHECK(top.names().size() == 6);
}

TEST_CASE("the filter of the command line is one of those that f goes through")
{
	driven_view top(list_of({make("sda1"), make("sdb1")}), {.filter = "sda,active,downloading"});
	CHECK(top.names() == ">sda1");
	top.type("f");
	CHECK(top.names() == ">sda1 sdb1");
	top.type("ffffffff");
	CHECK(top.names() == ">sda1");
	CHECK(top.draw()[0].find("sda,active,downloading") != std::string::npos);
}

TEST_CASE("a filter hides what it names from the keys, too")
{
	driven_view top(list_of({make("a")}), {.filter = "error"});
	top.type("p");
	CHECK(top.status_line().empty());
	CHECK(top.press(key::enter));
	CHECK_FALSE(top.view.take_request());
}

TEST_CASE("the selection stays on its torrent while others come, go and change places")
{
	driven_view top(list_of({make("a"), make("b"), make("c")}));
	top.type("j");
	CHECK(top.names() == "a >b c");
	top.view.heard_status(list_of({make("b"), make("0"), make("a"), make("c")}), top.now);
	CHECK(top.names() == "0 a >b c");
	top.view.heard_status(list_of({make("0"), make("a"), make("c")}), top.now);
	CHECK(top.names() == "0 a >c");
	top.view.heard_status(list_of({}), top.now);
	CHECK(top.draw()[list_top] == "  no torrents: ezioctl add TORRENT TARGET");
	top.type("jkp");
	CHECK(top.status_line().empty());
	top.view.heard_status(list_of({make("z")}), top.now);
	CHECK(top.names() == ">z");
}

TEST_CASE("a torrent that changes its state while help is shown does not lend its place to another")
{
	driven_view top(list_of({make("a"), make("b")}), {.filter = "downloading"});
	top.type("h");
	top.view.heard_status(list_of({make("a", "paused"), make("b")}), top.now);
	top.type("q");
	CHECK(top.names() == ">b");
	top.type("p");
	CHECK(top.status_line() == "pause b (/dev/b)? y/n");
}

TEST_CASE("a long list scrolls with the selection, to both ends")
{
	driven_view top(numbered(40));
	CHECK(top.draw()[23].ends_with("1-16 of 40"));
	top.type(" ");
	CHECK(top.draw()[list_top + 15].starts_with("> t116"));
	top.type("G");
	CHECK(top.draw()[23].ends_with("25-40 of 40"));
	CHECK(top.draw()[list_top + 15].starts_with("> t139"));
	top.press(key::page_up);
	CHECK(top.draw()[list_top].starts_with("> t123"));
	top.press(key::home);
	CHECK(top.draw()[list_top].starts_with("> t100"));
	top.press(key::end);
	CHECK(top.draw({80, 10})[23 - 16].starts_with("> t139"));
	top.type("v");
	CHECK(top.draw()[23].ends_with("33-40 of 40"));
	CHECK(top.draw()[list_top + 15].starts_with("    done 1.0 KiB / 4.0 KiB"));
}

TEST_CASE("a search goes to what has the word in name, target or info-hash, and n to the next")
{
	auto list = list_of({make("alpha"), make("beta"), make("gamma"), make("alps")});
	list.torrents[1].info_hash = std::string(40, 'b');
	list.torrents[2].info_hash = "c0ffee" + std::string(34, '0');
	driven_view top(list);
	top.type("/AL");
	CHECK(top.status_line() == "/AL");
	CHECK(top.names() == ">alpha alps beta gamma");
	top.type("p");
	CHECK(top.status_line() == "/ALp");
	CHECK(top.names() == ">alpha alps beta gamma");
	top.type("s");
	CHECK(top.names() == "alpha >alps beta gamma");
	top.press(key::erase);
	top.press(key::enter);
	top.type("n");
	CHECK(top.names() == ">alpha alps beta gamma");
	top.type("n");
	CHECK(top.names() == "alpha >alps beta gamma");
	top.type("/c0ff");
	top.press(key::enter);
	CHECK(top.names() == "alpha alps beta >gamma");
	top.type("/dev/b");
	CHECK(top.names() == "alpha alps >beta gamma");
	top.type("x");
	CHECK(top.status_line() == "nothing shown has \"dev/bx\" in name, target or info-hash");
	CHECK(top.names() == "alpha alps >beta gamma");
	CHECK(top.press(key::escape));
	CHECK(top.status_line().empty());
	top.type("n");
	CHECK(top.status_line() == "type / and a word to search for");
	CHECK_FALSE(top.view.take_request());
}

TEST_CASE("a search takes any word, but none without end")
{
	driven_view top(list_of({make("a")}));
	top.type("/" + std::string(1000, 'q'));
	CHECK(top.press(key::enter));
	top.type("/\xc3\xbc");
	top.press(key::erase);
	CHECK(top.status_line() == "/");
	top.press(key::erase);
	CHECK(top.status_line() == "/");
	top.type("\x1b[2J");
	CHECK(top.status_line().find('\x1b') == std::string::npos);
}

TEST_CASE("nothing is paused or resumed without a yes")
{
	driven_view top(list_of({make("a"), make("b", "paused"), make("c", "error")}));
	top.type("p");
	CHECK(top.status_line() == "pause a (/dev/a)? y/n");
	CHECK_FALSE(top.view.take_request());
	for (auto const what : {key::escape, key::enter, key::down, key::other}) {
		CHECK(top.press(what));
		CHECK(top.status_line() == "a is left as it is");
		CHECK_FALSE(top.view.take_request());
		top.type("p");
	}
	top.type("q");
	CHECK(top.status_line() == "a is left as it is");
	top.type("py");
	auto const pause = top.view.take_request();
	REQUIRE(pause);
	CHECK(pause->verb == "pause");
	CHECK(pause->info_hash == std::string(40, 'a'));
	CHECK_FALSE(top.view.take_request());
	top.view.heard_outcome(*pause, std::nullopt);
	CHECK(top.status_line() == "pause a: done");
	top.type("jpy");
	CHECK(top.view.take_request()->verb == "resume");
	top.type("jpy");
	auto const resume = top.view.take_request();
	CHECK(resume->verb == "resume");
	CHECK(resume->info_hash == std::string(40, 'c'));
}

TEST_CASE("a refusal of the daemon is shown until the next key")
{
	driven_view top(list_of({make("a")}));
	top.type("py");
	auto const request = top.view.take_request();
	top.view.heard_outcome(*request, make_error(errc::denied, "the key may only read"));
	CHECK(top.status_line().find("pause a: the key may only read") == 0);
	top.view.heard_status(list_of({make("a")}), top.now);
	CHECK_FALSE(top.status_line().empty());
	top.type("x");
	CHECK(top.status_line().empty());
}

TEST_CASE("the page of a torrent has all of status --verbose, its device and its peers")
{
	auto b = make("b", "error");
	b.failure = make_io_error("pwritev", "/dev/b", 4096, 16384, ENOSPC);
	driven_view top(list_of({make("a"), b}));
	top.view.heard_stats(stats());
	top.type("j");
	CHECK(top.status_line().find("b: pwritev /dev/b offset 4096") == 0);
	CHECK_FALSE(top.view.peers_wanted());
	top.press(key::enter);
	auto const request = top.view.take_request();
	REQUIRE(request);
	CHECK(request->verb == "peers");
	CHECK(request->info_hash == b.info_hash);
	CHECK(top.view.peers_wanted()->info_hash == b.info_hash);
	auto lines = top.draw();
	CHECK(contains(lines, "  info-hash     " + b.info_hash));
	CHECK(contains(lines, "  error         pwritev /dev/b offset 4096 length 16384: ENOSPC"));
	CHECK(contains(lines, "  durable       not yet"));
	CHECK_FALSE(contains(lines, "/dev/a"));
	top.type("G");
	lines = top.draw();
	CHECK(contains(lines, "/dev/b  rotational"));
	CHECK(contains(lines, "peers: asked for"));
	top.view.heard_peers(b.info_hash,
		json::parse(
			R"({"torrents":[{"name":"b","peers":[{"endpoint":"10.0.0.7:6881","client":"libtorrent/2.0.8.0 of eziod"}]}]})"));
	top.type("G");
	lines = top.draw();
	CHECK(contains(lines, "PEER"));
	CHECK(contains(lines, "10.0.0.7:6881  libtorrent/2.0.8.0 of eziod"));
	CHECK(contains(lines, "DEVICE"));
	CHECK_FALSE(contains(lines, "FLAGS"));
	for (int i = 0; i < 20; ++i)
		top.press(key::right);
	lines = top.draw();
	CHECK(contains(lines, "FLAGS"));
	top.press(key::left);
	CHECK_FALSE(contains(top.draw(), "FLAGS"));
	CHECK(top.type("q"));
	CHECK(top.names() == "a >b");
	CHECK_FALSE(top.view.peers_wanted());
	CHECK_FALSE(top.type("q"));
}

TEST_CASE("a failed request for peers says so, and leaves no peers of another torrent")
{
	driven_view top(list_of({make("a"), make("b")}));
	top.press(key::enter);
	top.view.heard_peers(
		std::string(40, 'a'), json::parse(R"({"torrents":[{"peers":[{"endpoint":"x:1"}]}]})"));
	CHECK(contains(top.draw(), "x:1"));
	top.type("qj");
	top.press(key::enter);
	CHECK(contains(top.draw(), "peers: asked for"));
	top.view.heard_peers(std::string(40, 'b'), make_error(errc::denied, "no"));
	CHECK(contains(top.draw(), "peers: no"));
	top.view.heard_peers(std::string(40, 'b'), json::object());
	CHECK(contains(top.draw(), "no peers"));
}

TEST_CASE("a torrent that is removed while its page is shown gives way to the list")
{
	driven_view top(list_of({make("a"), make("b")}));
	top.press(key::enter);
	top.view.heard_status(list_of({make("b")}), top.now);
	CHECK(top.status_line() == "the torrent is no longer there");
	CHECK(top.names() == ">b");
	CHECK_FALSE(top.view.peers_wanted());
}

TEST_CASE("a daemon that does not answer leaves the last picture, marked with its age")
{
	driven_view top(list_of({make("a")}), {.use_colour = true});
	CHECK_FALSE(top.view.stale(top.now));
	top.now += 4s;
	CHECK_FALSE(top.view.stale(top.now));
	top.now += 2s;
	CHECK(top.draw()[0] == "\x1b[1;31mSTALE, 6 s old: the daemon does not answer\x1b[0m");
	top.view.failed(make_error(errc::unreachable, "no daemon there"));
	CHECK(top.draw()[0].find("STALE, 6 s old: no daemon there") != std::string::npos);
	CHECK(contains(top.draw(), "> a "));
	CHECK(top.type("h"));
	CHECK(top.draw()[0].find("STALE") != std::string::npos);
	top.view.heard_status(list_of({make("a")}), top.now);
	CHECK(top.draw()[0].find("STALE") == std::string::npos);
}

TEST_CASE("plus and minus change the interval within limits")
{
	driven_view top(list_of({}));
	top.type("+");
	CHECK(top.status_line() == "every 3 s");
	top.type("----------");
	CHECK(top.status_line() == "every 0.5 s");
	CHECK(top.view.interval() == 500ms);
	top.type("++++++++++");
	CHECK(top.view.interval() == 60s);
	driven_view odd(list_of({}), {.interval_seconds = 4});
	odd.type("-");
	CHECK(odd.view.interval() == 3s);
}

TEST_CASE("help fits 80x24, and goes back to where it was asked for")
{
	driven_view top(list_of({make("a")}));
	top.type("?");
	auto const lines = top.draw();
	CHECK(lines[1].starts_with("j k "));
	CHECK(contains(lines, "h ?                this help"));
	CHECK(top.type("h"));
	CHECK(top.names() == ">a");
	top.press(key::enter);
	top.type("h");
	CHECK(top.press(key::escape));
	CHECK(contains(top.draw(), "info-hash"));
	CHECK(top.press(key::escape));
	CHECK_FALSE(top.press(key::escape));
}

TEST_CASE("no colours unless they are asked for, and no control character of a name ever")
{
	auto bad = make("a", "error");
	bad.name = "\x1b[2Jx\n";
	bad.failure = make_error(errc::internal, "\x1b[31mred");
	for (auto const *keys : {"", "v", "p", "/x"}) {
		driven_view top(list_of({bad}));
		top.type(keys);
		CHECK_FALSE(contains(top.draw(), "\x1b"));
		CHECK_FALSE(contains(top.draw(), "\n"));
	}
	driven_view top(list_of({bad}));
	top.press(key::enter);
	CHECK_FALSE(contains(top.draw(), "\x1b"));
}

TEST_CASE("a refresh sends little, and the terminal shows what was drawn")
{
	auto list = numbered(16);
	driven_view top(list);
	top.view.heard_stats(stats());
	screen sent;
	fake_terminal terminal(24);
	terminal.write(sent.show(top.draw(), usual));
	CHECK(sent.show(top.draw(), usual).empty());
	// All sixteen rows change in progress, rate and eta.
	std::size_t most = 0;
	for (std::uint64_t step = 1; step <= 50; ++step) {
		for (auto &t : list.torrents) {
			t.progress = 0.25 + static_cast<double>(step) * 0.0137;
			t.down_rate = (100u << 20) + ((step * 7919 + t.name.back() * 104729) % (10u << 20));
			t.eta_seconds = 3000 - step * 17;
		}
		top.view.heard_status(list, top.now);
		auto const bytes = sent.show(top.draw(), usual);
		terminal.write(bytes);
		if (step > 1)
			most = std::max(most, bytes.size());
		auto drawn = top.draw();
		for (auto &line : drawn)
			line.resize(line.find_last_not_of(' ') + 1);
		CHECK(terminal.lines == drawn);
	}
	UNSCOPED_INFO("bytes per refresh at most: " << most);
	CHECK(most < 960); // a second of a serial line of 9600 baud
	top.type("j");
	CHECK(sent.show(top.draw(), usual).size() < 40);
}
