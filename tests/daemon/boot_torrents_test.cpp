#include "daemon/boot_torrents.hpp"

#include "tests/config/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <fstream>

namespace ezio
{
namespace
{

torrent_entry entry_of(temp_dir const &folder)
{
	auto const path = folder.path() / "a.torrent";
	std::ofstream(path) << "bytes";
	return {path.string(), "/dev/loop0"};
}

} // namespace

TEST_CASE("an entry of the configuration becomes the request that its keys describe")
{
	temp_dir const folder;
	auto entry = entry_of(folder);
	entry.what = torrent_entry::mode::seed;
	entry.peers = {"source:6881"};
	entry.is_sequential = true;
	entry.uploads_max = 4;
	entry.connections_max = 20;
	entry.upload_limit_kib = 2;
	entry.download_limit_kib = 2097151;
	entry.priority = "high";
	auto const request = to_add_request(entry);
	REQUIRE(request);
	CHECK(request->torrent == "bytes");
	CHECK(request->target == "/dev/loop0");
	CHECK(request->is_seed);
	CHECK(request->peers == entry.peers);
	CHECK(request->is_sequential);
	CHECK(request->uploads_max == 4);
	CHECK(request->connections_max == 20);
	CHECK(request->limits == torrent_limits{2048, 2097151ull * 1024});
	CHECK(request->priority == torrent_priority::high);
}

TEST_CASE("an entry that says no more than it must asks for what add does by itself")
{
	temp_dir const folder;
	auto const request = to_add_request(entry_of(folder));
	REQUIRE(request);
	add_request const plain;
	CHECK(request->is_seed == plain.is_seed);
	CHECK(request->is_sequential == plain.is_sequential);
	CHECK(request->uploads_max == plain.uploads_max);
	CHECK(request->connections_max == plain.connections_max);
	CHECK(request->limits == plain.limits);
	CHECK(request->priority == plain.priority);
}

TEST_CASE("an entry whose torrent file cannot be read is an error")
{
	auto const request = to_add_request({"/nowhere/a.torrent", "/dev/loop0"});
	REQUIRE_FALSE(request);
	CHECK(request.failure().code == errc::io_error);
}

} // namespace ezio
