#include "ctl/create/partclone_files.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;

namespace
{

std::string const log_text = "# Domain logfile created by partclone.ext4 v0.3.23\n"
							 "# current_pos  current_status\n"
							 "0x00010000     ?\n"
							 "#      pos        size  status\n"
							 "0x00000000  0x00002000  +\n"
							 "0x00002000  0x00004000  ?\n"
							 "0x00006000  0x0000A000  +\n";

std::string const digest(40, 'a');
std::string const header = "block_size: 4096\nblocks_total: 16\n";

std::string extent(std::string const &offset, std::string const &length)
{
	return "offset: " + offset + "\nlength: " + length + "\n";
}

std::string sha1()
{
	return "sha1: " + digest + "\n";
}

std::string replaced(std::string text, std::string const &from, std::string const &to)
{
	auto const at = text.find(from);
	REQUIRE(at != std::string::npos);
	return text.replace(at, from.size(), to);
}

struct bad_text {
	char const *what;
	std::string text;
	char const *expected;
};

} // namespace

TEST_CASE("a domain log gives the used ranges of the filesystem")
{
	auto const log = parse_domain_log(log_text);
	REQUIRE(log);
	CHECK(log->filesystem_bytes == 0x10000);
	CHECK(log->used == std::vector<byte_range>{{0, 0x2000}, {0x6000, 0xA000}});
}

TEST_CASE("a domain log that is not whole is refused with its line")
{
	std::vector<bad_text> const cases{
		{"empty", "", "line 0: the log ends early"},
		{"without ranges", log_text.substr(0, log_text.find("#      pos")), "ends early"},
		{"without its last line", log_text.substr(0, log_text.rfind("0x00006000")),
			"line 6: the log ends early"},
		{"cut in a line", log_text.substr(0, log_text.size() - 1), "ends early"},
		{"with a gap", replaced(log_text, "0x00002000  0x00004000  ?\n", ""),
			"line 6: the range does not follow"},
		{"with an overlap", replaced(log_text, "0x00006000  ", "0x00005000  "), "does not follow"},
		{"beyond the filesystem", replaced(log_text, "0x0000A000", "0x0000B000"), "does not follow"},
		{"with an unknown status", replaced(log_text, "A000  +", "A000  *"), "line 7: expected"},
		{"with a word too many", replaced(log_text, "A000  +", "A000  + x"), "line 7: expected"},
		{"with a number that is none", replaced(log_text, "0x0000A000", "0x0000Z000"), "line 7: expected"},
		{"with a number beyond 64 bits", replaced(log_text, "0x0000A000", "0xFFFFFFFFFFFFFFFFF"), "expected"},
	};
	for (auto const &c : cases) {
		INFO(c.what);
		auto const log = parse_domain_log(c.text);
		REQUIRE_FALSE(log);
		CHECK_THAT(log.failure().message, Catch::Contains(c.expected));
	}
}

TEST_CASE("a torrent.info gives extents, joined, and hashes")
{
	auto const info = parse_partclone_info(header +
		extent("00000000000000000000000000000000", "00000000000000000000000000001000") +
		extent("1000", "1000") + extent("8000", "1000") + sha1());
	REQUIRE(info);
	CHECK(info->device_bytes == 65536);
	CHECK(info->extents == std::vector<byte_range>{{0, 0x2000}, {0x8000, 0x1000}});
	REQUIRE(info->pieces.size() == 1);
	CHECK(info->pieces[0][19] == std::byte{0xaa});
}

TEST_CASE("a torrent.info with a fault is refused with its line")
{
	auto const good = header + extent("0", "1000") + sha1();
	REQUIRE(parse_partclone_info(good));
	REQUIRE(is_partclone_info(good));
	std::vector<bad_text> const cases{
		{"empty", "", "line 0: expected 'block_size: '"},
		{"without block count", "block_size: 4096\n", "expected 'blocks_total: '"},
		{"block size 0", replaced(good, "4096", "0"), "line 1:"},
		{"block size negative", replaced(good, "4096", "-4096"), "line 1:"},
		{"device beyond 2^63", replaced(good, "16", "9000000000000000000"), "line 2:"},
		{"cut in a line", good.substr(0, good.size() - 1), "line 5: the file ends in the middle of a line"},
		{"without hash", header + extent("0", "1000"), "0 SHA-1 hashes where its extents need 1"},
		{"with a hash too many", good + sha1(), "2 SHA-1 hashes where its extents need 1"},
		{"without extents", header + sha1(), "no extent"},
		{"without a length", header + "offset: 0\n", "line 3: the file ends after an offset"},
		{"two offsets", header + "offset: 0\noffset: 1000\n", "line 4: expected"},
		{"a length alone", header + "length: 1000\n", "line 3: expected"},
		{"overlap", header + extent("0", "2000") + extent("1000", "1000") + sha1(),
			"line 6: the extent overlaps"},
		{"descending", header + extent("2000", "1000") + extent("0", "1000") + sha1(),
			"line 6: the extent overlaps"},
		{"beyond the device", header + extent("f000", "2000") + sha1(), "line 4: the extent ends beyond"},
		{"length 0", header + extent("0", "0") + sha1(), "line 4: the length"},
		{"offset 2^64", header + extent("10000000000000000", "1000") + sha1(), "line 3: the offset"},
		{"no hexadecimal offset", header + extent("xyz", "1000") + sha1(), "line 3: the offset"},
		{"a short hash", replaced(good, digest, digest.substr(1)), "line 5: expected 'sha1: '"},
		{"a hash of other letters", replaced(good, digest, std::string(40, 'g')),
			"line 5: expected 'sha1: '"},
		{"an unknown line", header + "md5: 1\n", "line 3: expected"},
	};
	for (auto const &c : cases) {
		INFO(c.what);
		auto const info = parse_partclone_info(c.text);
		REQUIRE_FALSE(info);
		CHECK_THAT(info.failure().message, Catch::Contains(c.expected));
	}
}

TEST_CASE("each piece of 16 MiB needs its hash")
{
	auto const text = "block_size: 4096\nblocks_total: 8192\n" + extent("0", "1000001");
	CHECK_FALSE(parse_partclone_info(text + sha1()));
	CHECK(parse_partclone_info(text + sha1() + sha1()));
}
