#include "config/save.hpp"

#include "config/load.hpp"
#include "tests/config/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

namespace ezio
{
namespace
{

std::string edit(
	std::string const &toml, std::string_view table, std::string_view key, std::string_view value)
{
	auto const text = edit_config(toml, "f", table, key, value);
	REQUIRE(text);
	return *text;
}

std::size_t files_in(temp_dir const &dir)
{
	std::size_t count = 0;
	for ([[maybe_unused]] auto const &entry : std::filesystem::directory_iterator(dir.path()))
		++count;
	return count;
}

} // namespace

TEST_CASE("a value is replaced where it stands, comments and layout stay")
{
	CHECK(edit("# top\n[disk]   # d\n\tcache-size=512# MiB\n\n\n[log]\n", "disk", "cache-size", "2048") ==
		"# top\n[disk]   # d\n\tcache-size=2048# MiB\n\n\n[log]\n");
	CHECK(edit("[disk]\ncache-size = 1", "disk", "cache-size", "64") == "[disk]\ncache-size = 64");
	CHECK(edit("disk = { cache-size = 1, prefetch = 2 } # x\n", "disk", "cache-size", "64") ==
		"disk = { cache-size = 64, prefetch = 2 } # x\n");
	CHECK(edit("disk.cache-size = 0x10\r\n[log]\r\n", "disk", "cache-size", "64") ==
		"disk.cache-size = 64\r\n[log]\r\n");
	CHECK(
		edit("[disk]\n\"cache-size\" = 1\n", "disk", "cache-size", "64") == "[disk]\n\"cache-size\" = 64\n");
}

TEST_CASE("values of several lines and beside letters of several bytes are replaced whole")
{
	CHECK(edit("[session]\nlisten = [\n  'a', # one\n  \"b\",\n] # end\ndht = true\n", "session", "listen",
			  "[\"c:1\"]") == "[session]\nlisten = [\"c:1\"] # end\ndht = true\n");
	CHECK(edit("[log]\nfile = \"/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\" # \xc3\xa4\n", "log", "file",
			  "\"/b\"") == "[log]\nfile = \"/b\" # \xc3\xa4\n");
	CHECK(edit("[log]\nfile = \"\"\"\n/a\n\"\"\" # x\n", "log", "file", "\"/b\"") ==
		"[log]\nfile = \"/b\" # x\n");
	CHECK(edit("log = {x = \"\xc3\xa4\", file = 'a'}\n", "log", "file", "\"/b\"") ==
		"log = {x = \"\xc3\xa4\", file = \"/b\"}\n");
}

TEST_CASE("a missing key is put under its table's header")
{
	CHECK(edit("[disk] # d\nprefetch = 1\n[log]\n", "disk", "cache-size", "64") ==
		"[disk] # d\ncache-size = 64\nprefetch = 1\n[log]\n");
	CHECK(edit("[disk]", "disk", "cache-size", "64") == "[disk]\ncache-size = 64\n");
	CHECK(edit("\r\n[disk]\r\n", "disk", "cache-size", "64") == "\r\n[disk]\r\ncache-size = 64\r\n");
	CHECK(edit("disk = {}\n", "disk", "cache-size", "64") == "disk = { cache-size = 64 }\n");
	CHECK(edit("disk = {prefetch = 1}\n", "disk", "cache-size", "64") ==
		"disk = { cache-size = 64,prefetch = 1}\n");
	CHECK(edit("disk.prefetch = 1 # p\n[log]\n", "disk", "cache-size", "64") ==
		"disk.prefetch = 1 # p\ndisk.cache-size = 64\n[log]\n");
}

TEST_CASE("a missing table is appended")
{
	CHECK(edit("", "disk", "cache-size", "64") == "[disk]\ncache-size = 64\n");
	CHECK(edit("[log]\nlevel = \"info\" # no end of line", "disk", "cache-size", "64") ==
		"[log]\nlevel = \"info\" # no end of line\n\n[disk]\ncache-size = 64\n");
	CHECK(edit("[[torrent]]\nfile = \"/a\"\n", "disk", "cache-size", "64") ==
		"[[torrent]]\nfile = \"/a\"\n\n[disk]\ncache-size = 64\n");
}

TEST_CASE("an edit that would change anything else is refused")
{
	CHECK_FALSE(edit_config("[disk\n", "f", "disk", "cache-size", "64"));
	CHECK_FALSE(edit_config("", "f", "disk", "cache-size", "64\nprefetch = 1"));
	CHECK_FALSE(edit_config("", "f", "disk", "cache-size", "= 64"));
	CHECK_FALSE(edit_config("", "f", "disk", "cache-size", ""));
	CHECK_FALSE(edit_config("[disk.sub]\nx = 1\n", "f", "disk", "cache-size", "64"));
	CHECK_FALSE(edit_config("disk = 1\n", "f", "disk", "cache-size", "64"));
	CHECK_FALSE(edit_config("[[disk]]\n", "f", "disk", "cache-size", "64"));
	auto const failure = edit_config("[disk\n", "f", "disk", "cache-size", "64").failure();
	CHECK(failure.code == errc::invalid_argument);
	CHECK(failure.message.starts_with("f: line 1: "));
}

TEST_CASE("every key saved into the shipped file is read back as its value")
{
	auto text = read_all(EZIO_SOURCE_DIR "/config/eziod.toml");
	for (auto const &row : schema()) {
		CAPTURE(row.key);
		text = edit(text, row.table, row.key, toml_text(default_value(row)));
		auto const report = parse_config(text, "f");
		REQUIRE(report.is_valid());
		CHECK(report.config.value(row) == default_value(row));
		CHECK(report.config.origin(row) == value_origin::file);
	}
}

TEST_CASE("the TOML text of a string survives quotes, backslashes and control characters")
{
	for (auto const &text :
		{std::string("/a\"b\\c"), std::string("/\x01\n\x7f"), std::string("/\xc3\xa4'")}) {
		auto const tree = edit("", "log", "file", toml_text(text));
		CHECK(edit_config(tree, "f", "log", "file", toml_text(text)));
		CHECK(tree.find('\x01') == std::string::npos);
	}
	CHECK(toml_text(std::string("/a\"b\\c\n")) == "\"/a\\\"b\\\\c\\u000A\"");
	CHECK(toml_text(automatic{}) == "\"auto\"");
	CHECK(toml_text(std::vector<std::string>{"a", "b"}) == "[\"a\", \"b\"]");
}

TEST_CASE("a foreign text is bare only where TOML reads it as the same text")
{
	CHECK(foreign_toml_text("true") == "true");
	CHECK(foreign_toml_text("-15") == "-15");
	CHECK(foreign_toml_text("0") == "0");
	CHECK(foreign_toml_text("-0") == "\"-0\"");
	CHECK(foreign_toml_text("007") == "\"007\"");
	CHECK(foreign_toml_text("") == "\"\"");
	CHECK(foreign_toml_text("-") == "\"-\"");
	CHECK(foreign_toml_text("99999999999999999999") == "\"99999999999999999999\"");
	CHECK(foreign_toml_text("a b") == "\"a b\"");
}

TEST_CASE("saving a key changes the file and keeps its mode")
{
	temp_dir const dir;
	auto const path = dir.write("c.toml", "# mine\n[disk]\ncache-size = 512 # MiB\n");
	REQUIRE(::chmod(path.c_str(), 0640) == 0);
	REQUIRE(save_key(path, "disk", "cache-size", "2048"));
	CHECK(read_all(path) == "# mine\n[disk]\ncache-size = 2048 # MiB\n");
	struct stat info = {};
	REQUIRE(::stat(path.c_str(), &info) == 0);
	CHECK((info.st_mode & 07777U) == 0640);
	CHECK(files_in(dir) == 1);
}

TEST_CASE("saving keeps the owner")
{
	if (::geteuid() != 0) {
		WARN("skipped: changing an owner needs root");
		return;
	}
	constexpr uid_t some_uid = 12345;
	constexpr gid_t some_gid = 23456;
	temp_dir const dir;
	auto const path = dir.write("c.toml", "");
	REQUIRE(::chown(path.c_str(), some_uid, some_gid) == 0);
	REQUIRE(save_key(path, "disk", "cache-size", "64"));
	struct stat info = {};
	REQUIRE(::stat(path.c_str(), &info) == 0);
	CHECK(info.st_uid == some_uid);
	CHECK(info.st_gid == some_gid);
}

TEST_CASE("saving through a symbolic link changes the file behind it")
{
	temp_dir const dir;
	auto const real = dir.write("real.toml", "[disk]\n");
	auto const link = dir.file("link.toml");
	std::filesystem::create_symlink(real, link);
	REQUIRE(save_key(link, "disk", "cache-size", "64"));
	CHECK(std::filesystem::is_symlink(link));
	CHECK(read_all(real) == "[disk]\ncache-size = 64\n");
}

TEST_CASE("saving into a missing file creates it")
{
	temp_dir const dir;
	auto const path = dir.file("new.toml");
	REQUIRE(save_key(path, "log", "level", "\"debug\""));
	CHECK(read_all(path) == "[log]\nlevel = \"debug\"\n");
}

TEST_CASE("a failed save leaves the file as it was and nothing beside it")
{
	temp_dir const dir;
	auto const path = dir.write("c.toml", "[disk\n");
	CHECK_FALSE(save_key(path, "disk", "cache-size", "64"));
	CHECK(read_all(path) == "[disk\n");
	CHECK(files_in(dir) == 1);
	auto const missing = save_key(dir.file("no/such.toml"), "disk", "cache-size", "64");
	REQUIRE_FALSE(missing);
	CHECK(missing.failure().os_errno == ENOENT);
	CHECK(save_key(dir.path().string(), "disk", "cache-size", "64").failure().os_errno == EISDIR);
}

} // namespace ezio
