#include "ctl/screen.hpp"
#include "ctl/torrent_table.hpp"

#include "tests/ctl/sample_torrent.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;
using ezio::ctl::test::sample;

namespace
{

torrent_table fitted(std::vector<torrent_view> const &torrents, std::size_t columns, bool is_verbose = false)
{
	torrent_table table;
	table.measure(torrents);
	table.fit(columns, is_verbose);
	return table;
}

} // namespace

TEST_CASE("where there is room the columns are those of status")
{
	auto t = sample();
	auto const table = fitted({t}, 120);
	CHECK(table.titles() ==
		"  NAME  TARGET     STATE        PROGRESS          DONE/SIZE       DOWN  UP  PEERS         ETA");
	CHECK(table.row(t, false, false) ==
		"  root  /dev/sda1  downloading    25.0 %  1.0 KiB / 4.0 KiB  3.0 MiB/s   -      2  1 min 15 s");
	CHECK(table.row(t, true, false).starts_with("> root "));
}

TEST_CASE("a narrow table keeps what matters most, and fits every width")
{
	auto t = sample();
	t.name = "a-long-name-of-an-image";
	t.target = "/dev/disk/by-id/ata-long-name-part1";
	t.up_rate = t.down_rate = 1000u << 20;
	t.failure = make_io_error("pwritev", t.target, 4096, 16384, ENOSPC);
	for (std::size_t columns = 0; columns < 260; ++columns) {
		for (auto const is_verbose : {false, true}) {
			auto const table = fitted({t}, columns, is_verbose);
			for (auto const use_colour : {false, true}) {
				for (auto const is_selected : {false, true}) {
					auto const line = table.row(t, is_selected, use_colour);
					CHECK(cut_to_width(line, columns) == line);
				}
			}
			CHECK(table.titles().size() <= columns);
			CHECK(table.rest(t, false).size() <= columns);
		}
	}
	auto const table = fitted({t}, 80);
	CHECK(
		table.titles() == "  NAME             TARGET        STATE        PROGRESS          DOWN         ETA");
	CHECK(table.row(t, false, false) ==
		"  a-long-name-of~  ~-name-part1  downloading    25.0 %  1000.0 MiB/s  1 min 15 s");
}

TEST_CASE("the second line has what the first had no room for")
{
	auto t = sample();
	t.failure = make_io_error("pwritev", "/dev/sda1", 4096, 16384, ENOSPC);
	auto const narrow = fitted({t}, 60, true);
	CHECK(narrow.rest(t, false).starts_with("    error pwritev /dev/sda1 offset 4096"));
	t.failure.reset();
	auto const line = fitted({t}, 80, true).rest(t, false);
	CHECK(line.find("pieces 0/0") != std::string::npos);
	CHECK(fitted({t}, 300, true).rest(t, false).empty());
	CHECK(fitted({t}, 300, true).titles().find("INFO-HASH") != std::string::npos);
}

TEST_CASE("columns never get narrower, so that nothing jumps")
{
	auto t = sample();
	torrent_table table;
	t.down_rate = 1000u << 20;
	table.measure({t});
	table.fit(120, false);
	auto const titles = table.titles();
	t.down_rate = 1;
	table.measure({t});
	table.fit(120, false);
	CHECK(table.titles() == titles);
}

TEST_CASE("a selected row is a bar across the screen, others have the colours of status")
{
	auto const t = sample();
	auto const table = fitted({t}, 80);
	auto const bar = table.row(t, true, true);
	CHECK(bar.starts_with("\x1b[7m> root"));
	CHECK(bar.size() == 80 + std::string("\x1b[7m\x1b[0m").size());
	CHECK(table.row(t, false, true).find("\x1b[36mdownloading\x1b[0m") != std::string::npos);
	CHECK(table.row(t, false, true).find("\x1b[32m3.0 MiB/s\x1b[0m") != std::string::npos);
}
