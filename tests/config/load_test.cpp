#include "config/load.hpp"

#include "tests/config/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <string>

#include <sys/stat.h>

namespace ezio
{
namespace
{

std::vector<std::string> faults_of(std::string const &toml, foreign_key_check const &foreign = nullptr)
{
	std::vector<std::string> lines;
	for (auto const &fault : parse_config(toml, "f", foreign).faults)
		lines.push_back(to_string(fault));
	return lines;
}

bool has_fault(std::string const &toml, std::string const &start)
{
	for (auto const &line : faults_of(toml)) {
		if (line.starts_with(start))
			return true;
	}
	return false;
}

} // namespace

TEST_CASE("an empty file and one of comments mean the defaults")
{
	for (auto const *text : {"", "\n\n", "# nothing\n", "[disk]\n[session]\n"}) {
		auto const report = parse_config(text, "f");
		CHECK(report.is_valid());
		CHECK(diff(configuration(), report.config).empty());
	}
}

TEST_CASE("values of a file arrive with their types")
{
	auto const report = parse_config(R"([control]
endpoint = "ipc:///tmp/c"
[log]
levels = ["disk=debug", "session=warning"]
[disk]
cache-size = 1_024
dirty-limit = "auto"
coalesce-delay = "1s"
[session]
dht = true
upload-limit = "1MiB/s"
[libtorrent]
choking = 5
fast = true
agent = "x"
[[torrent]]
file = "/a.torrent"
target = "/dev/loop0"
mode = "seed"
peers = ["source:6881", "[::1]:5"]
[[torrent]]
file = "/b.torrent"
target = "/dev/loop1"
)",
		"f");
	REQUIRE(report.is_valid());
	auto const &c = report.config;
	CHECK(c.text("endpoint") == "ipc:///tmp/c");
	CHECK(c.list("levels") == std::vector<std::string>{"disk=debug", "session=warning"});
	CHECK(c.integer("cache-size") == 1024);
	CHECK_FALSE(c.integer_or_auto("dirty-limit").has_value());
	CHECK(c.integer("coalesce-delay") == 1000);
	CHECK(c.boolean("dht"));
	CHECK(c.integer("upload-limit") == 1024);
	CHECK(c.origin(*find_row("dht")) == value_origin::file);
	CHECK(c.origin(*find_row("lsd")) == value_origin::default_value);
	CHECK(c.libtorrent() ==
		std::map<std::string, std::string>{{"agent", "x"}, {"choking", "5"}, {"fast", "true"}});
	REQUIRE(c.torrents().size() == 2);
	CHECK(c.torrents()[0] ==
		torrent_entry{"/a.torrent", "/dev/loop0", torrent_entry::mode::seed, {"source:6881", "[::1]:5"}});
	CHECK(c.torrents()[1].what == torrent_entry::mode::download);
}

TEST_CASE("every fault of a file is reported at once, in order, with line, key and what is allowed")
{
	auto const faults = faults_of(R"(# configuration
cache-size = 512
[disk]
cache-size = 12
prefetch = true

prefecth = 1
dht = true
[sesion]
x = 1
[session]
listen = ["1.2.3.4"]
dht = "true"
max-uploads = 1.5
max-connections = "200"
pex = [true]
)");
	std::vector<std::string> const expected{
		"f:2: cache-size: this key stands outside of its table (allowed: [disk])",
		"f:4: disk.cache-size: 12 is too small (allowed: 64 to 1048576 MiB)",
		"f:5: disk.prefetch: the value is not of type size (allowed: 0 to 16384 KiB; 0: no reading ahead)",
		"f:7: disk.prefecth: there is no such key; did you mean 'prefetch'? (allowed: one of: cache-size, "
		"dirty-limit, aio-threads, direct-io, io-engine, coalesce-size, coalesce-delay, prefetch, "
		"sync-interval, sync-size, retry-limit, retry-delay, "
		"verify-rate)",
		"f:8: disk.dht: this key stands in the wrong table (allowed: [session])",
		"f:9: sesion: there is no such table; did you mean 'session'? (allowed: one of: control, state, log, "
		"disk, "
		"hash, session, metrics, libtorrent, torrent)",
		"f:12: session.listen: '1.2.3.4': the port is missing (allowed: a list of ADDRESS:PORT, "
		"[V6ADDRESS]:PORT or INTERFACE:PORT; empty: no peer can connect)",
		"f:13: session.dht: the value is of type boolean, not a string (allowed: true or false)",
		"f:14: session.max-uploads: the value is of type integer, not a floating-point number or a date "
		"(allowed: 0 to 65535; 0: unlimited)",
		"f:15: session.max-connections: the value is of type integer, not a string (allowed: 2 to 65535)",
		"f:16: session.pex: an item of the list is not a string (allowed: true or false)",
	};
	REQUIRE(faults.size() == expected.size());
	for (std::size_t i = 0; i < expected.size(); ++i)
		CHECK(faults[i] == expected[i]);
}

TEST_CASE("a fault leaves the key at its default and the others as the file says")
{
	auto const report = parse_config("[disk]\ncache-size = 1\nprefetch = 0\n", "f");
	CHECK_FALSE(report.is_valid());
	CHECK(report.config.integer("cache-size") == 512);
	CHECK(report.config.integer("prefetch") == 0);
}

TEST_CASE("values that exclude each other are a fault at the key's line")
{
	CHECK(
		has_fault("[disk]\ncache-size = 64\n\ndirty-limit = 65\n", "f:4: disk.dirty-limit: 65 MiB is more"));
	CHECK(has_fault("[control]\nevents-endpoint = \"ipc:///run/ezio/control.sock\"\n",
		"f:2: control.events-endpoint: 'ipc:///run/ezio/control.sock' is taken"));
}

TEST_CASE("a key at fault is not compared with others")
{
	CHECK(faults_of("[disk]\ncache-size = 1\ndirty-limit = 1024\n").size() == 1);
}

TEST_CASE("a syntax fault and a repeated key name their line")
{
	CHECK(has_fault("[disk]\ncache-size = \n", "f:2: "));
	CHECK(has_fault("[disk]\ncache-size = 64\n[log]\n[disk\n", "f:4: "));
	CHECK(has_fault("[disk]\ncache-size = 64\n\ncache-size = 65\n", "f:4: "));
	CHECK(has_fault("[log]\n[disk]\n[log]\n", "f:3: "));
	CHECK(has_fault("[log]\nlevel = \"\xff\"\n", "f:2: "));
}

TEST_CASE("a table that is no table, and an array of known tables, are faults")
{
	CHECK(has_fault("disk = 1\n", "f:1: disk: "));
	CHECK(has_fault("[[disk]]\ncache-size = 64\n", "f:1: disk: "));
	CHECK(has_fault("libtorrent = 1\n", "f:1: libtorrent: "));
	CHECK(has_fault("[torrent]\nfile = \"/a\"\n", "f:1: torrent: "));
	CHECK(has_fault("torrent = [1]\n", "f:1: torrent: "));
	CHECK(has_fault("[disk.cache-size]\nx = 1\n", "f:1: disk.cache-size: "));
}

TEST_CASE("each fault of a torrent entry is reported")
{
	auto const faults = faults_of(R"([[torrent]]
file = "a.torrent"
mode = "sed"
peers = ["source", 5]
taget = "/dev/x"
)");
	REQUIRE(faults.size() == 6);
	CHECK(faults[0].starts_with("f:1: torrent.target: this key is missing"));
	CHECK(faults[1].starts_with("f:2: torrent.file: it is not the absolute path"));
	CHECK(faults[2].starts_with("f:3: torrent.mode: "));
	CHECK(faults[3].starts_with("f:4: torrent.peers: 'source': the port is missing"));
	CHECK(faults[4].starts_with("f:4: torrent.peers: it is not a string"));
	CHECK(faults[5].starts_with("f:5: torrent.taget: there is no such key; did you mean 'target'?"));
}

TEST_CASE("a torrent entry has the limits and the order that add has")
{
	auto const report = parse_config(R"([[torrent]]
file = "/a.torrent"
target = "/dev/loop0"
sequential = true
max-uploads = 4
max-connections = 20
upload-limit = "2MiB/s"
download-limit = 512
priority = "high"
[[torrent]]
file = "/b.torrent"
target = "/dev/loop1"
max-uploads = "auto"
max-connections = "auto"
)",
		"f");
	for (auto const &fault : report.faults)
		UNSCOPED_INFO(to_string(fault));
	REQUIRE(report.is_valid());
	REQUIRE(report.config.torrents().size() == 2);
	auto const &first = report.config.torrents()[0];
	CHECK(first.is_sequential);
	CHECK(first.uploads_max == 4);
	CHECK(first.connections_max == 20);
	CHECK(first.upload_limit_kib == 2048);
	CHECK(first.download_limit_kib == 512);
	CHECK(first.priority == "high");
	CHECK(report.config.torrents()[1] == torrent_entry{"/b.torrent", "/dev/loop1"});
}

TEST_CASE("each fault of a torrent entry's limits names what is allowed")
{
	auto const faults = faults_of(R"([[torrent]]
file = "/a"
target = "/b"
sequential = 1
max-uploads = 0
max-connections = 1
upload-limit = -1
download-limit = "2 apples"
priority = "urgent"
lsd = true
)");
	REQUIRE(faults.size() == 7);
	CHECK(faults[0].starts_with("f:4: torrent.sequential: "));
	CHECK(faults[0].ends_with("(allowed: true or false)"));
	CHECK(faults[1].starts_with("f:5: torrent.max-uploads: 0 is too small (allowed: 1 to "));
	CHECK(faults[2].starts_with("f:6: torrent.max-connections: 1 is too small (allowed: 2 to "));
	CHECK(faults[3].starts_with("f:7: torrent.upload-limit: -1 is too small"));
	CHECK(faults[4].starts_with("f:8: torrent.download-limit: "));
	CHECK(faults[5].starts_with("f:9: torrent.priority: "));
	CHECK(faults[5].ends_with("(allowed: one of: low, normal, high)"));
	CHECK(faults[6].starts_with("f:10: torrent.lsd: this key stands in the wrong table"));
}

TEST_CASE("keys of libtorrent are judged by their owner")
{
	auto const judge = [](std::string_view key, std::string_view text,
						   foreign_kind kind) -> result<std::string> {
		if (key == "bad")
			return make_error(errc::unknown_key, "libtorrent has no such key");
		return std::string(text) + (kind == foreign_kind::boolean ? "-b" : "-other");
	};
	auto const report = parse_config("[libtorrent]\nflag = true\nnumber = -5\n", "f", judge);
	REQUIRE(report.is_valid());
	CHECK(report.config.libtorrent().at("flag") == "true-b");
	CHECK(report.config.libtorrent().at("number") == "-5-other");
	auto const faults = faults_of("[libtorrent]\nbad = 1\nlist = [1]\n", judge);
	REQUIRE(faults.size() == 2);
	CHECK(faults[0] == "f:2: libtorrent.bad: libtorrent has no such key");
	CHECK(faults[1].starts_with("f:3: libtorrent.list: the value is an array"));
}

TEST_CASE("numbers of torrents and of libtorrent's keys are limited")
{
	std::string torrents;
	for (std::size_t i = 0; i < torrent_entries_max; ++i)
		torrents += "[[torrent]]\nfile = \"/a\"\ntarget = \"/b\"\n";
	CHECK(parse_config(torrents, "f").is_valid());
	CHECK(has_fault(torrents + "[[torrent]]\n", "f:1: torrent: there are more than 256"));
	std::string foreign = "[libtorrent]\n";
	for (std::size_t i = 0; i < foreign_keys_max; ++i)
		foreign += "k" + std::to_string(i) + " = 1\n";
	CHECK(parse_config(foreign, "f").is_valid());
	CHECK(has_fault(foreign + "more = 1\n", "f:1: libtorrent: it has more than 512"));
}

TEST_CASE("a hundred faults are listed and the rest counted")
{
	std::string text = "[disk]\n";
	for (std::size_t i = 0; i < config_faults_max; ++i)
		text += "x" + std::to_string(i) + " = 1\n";
	CHECK(faults_of(text).size() == config_faults_max);
	auto const faults = faults_of(text + "y = 1\nz = 1\n");
	REQUIRE(faults.size() == config_faults_max + 1);
	CHECK(faults.back() == "f: 2 more faults");
}

TEST_CASE("a file of one MiB is read, a longer one is not")
{
	temp_dir const dir;
	std::string text(config_file_bytes_max, '#');
	auto const report = load_config(dir.write("full", text));
	CHECK(report.is_valid());
	auto const too_long = load_config(dir.write("long", text + "#"));
	REQUIRE(too_long.read_failure);
	CHECK(too_long.failure().os_errno == EFBIG);
	CHECK_FALSE(parse_config(text + "#", "f").is_valid());
}

TEST_CASE("what cannot be read is an error with its reason, not an empty file")
{
	temp_dir const dir;
	auto const missing = load_config(dir.file("missing"));
	CHECK_FALSE(missing.is_valid());
	CHECK(missing.failure().code == errc::io_error);
	CHECK(missing.failure().os_errno == ENOENT);
	CHECK(missing.failure().device == dir.file("missing"));
	CHECK(load_config(dir.path().string()).failure().os_errno == EISDIR);
	CHECK(load_config("").failure().os_errno == ENOENT);
}

TEST_CASE("a report of faults is one error with a line for each")
{
	auto const report = parse_config("[disk]\ncache-size = 1\nprefetch = -1\n", "f");
	auto const e = report.failure();
	CHECK(e.code == errc::invalid_argument);
	CHECK(e.message ==
		"f:2: disk.cache-size: 1 is too small (allowed: 64 to 1048576 MiB)\n"
		"f:3: disk.prefetch: -1 is too small (allowed: 0 to 16384 KiB; 0: no reading ahead)");
}

} // namespace ezio
