#include "actors/core/selector.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

torrent_row row(std::string hash, std::string name, std::string target)
{
	torrent_row r;
	r.info_hash = std::move(hash);
	r.name = std::move(name);
	r.target = std::move(target);
	return r;
}

std::vector<torrent_row> const rows{
	row("aabbccdd00000000000000000000000000000001", "sda1", "/dev/sda1"),
	row("aabbccdd00000000000000000000000000000002", "sda2", "/dev/sda2"),
	row("0123456789000000000000000000000000000003", "beef", "/dev/sda2"),
	row("beef456789000000000000000000000000000004", "sda4", "/dev/sda4"),
};

using indices = std::vector<std::size_t>;

result<indices> select(std::vector<std::string> const &selectors)
{
	return select_torrents(rows, selectors);
}

} // namespace

TEST_CASE("a selector names a torrent by prefix of its hash, by name, or by target")
{
	CHECK(select({"0123"}).value() == indices{2});
	CHECK(select({"0123456789"}).value() == indices{2});
	CHECK(select({"sda2"}).value() == indices{1});
	CHECK(select({"/dev/sda1"}).value() == indices{0});
}

TEST_CASE("hash prefixes are compared in any case")
{
	CHECK(select({"BEEF4"}).value() == indices{3});
}

TEST_CASE("three digits of a hash name nothing")
{
	CHECK(select({"012"}).failure().code == errc::not_found);
}

TEST_CASE("a prefix, name or target that fits two torrents is ambiguous")
{
	CHECK(select({"aabbccdd"}).failure().code == errc::ambiguous);
	CHECK(select({"/dev/sda2"}).failure().code == errc::ambiguous);
	CHECK(select({"beef"}).failure().code == errc::ambiguous);
}

TEST_CASE("a complete hash is never ambiguous")
{
	CHECK(select({"aabbccdd00000000000000000000000000000001"}).value() == indices{0});
}

TEST_CASE("a name is not a pattern or a prefix")
{
	CHECK(select({"sda"}).failure().code == errc::not_found);
	CHECK(select({""}).failure().code == errc::not_found);
}

TEST_CASE("all names every torrent, also where there is none")
{
	CHECK(select({"all"}).value() == indices{0, 1, 2, 3});
	CHECK(select_torrents({}, std::vector<std::string>{"all"}).value().empty());
}

TEST_CASE("several selectors add up without doubles")
{
	CHECK(select({"/dev/sda4", "sda1", "beef4"}).value() == indices{0, 3});
}

TEST_CASE("one selector that fits nothing fails all")
{
	CHECK(select({"sda1", "nosuch"}).failure().code == errc::not_found);
}
