#include "actors/bt/resume_files.hpp"

#include "actors/core/error.hpp"
#include "tests/support/loop_device.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace ezio;

namespace
{

struct folder {
	test::temporary_directory room;
	std::filesystem::path path = room.path();
};

kept_torrent sample(char digit = 'a', std::uint64_t added = 1000)
{
	auto request = std::make_shared<add_request>();
	request->torrent = std::string("the metainfo\0with a zero", 24);
	request->target = "/dev/with space";
	request->is_sequential = true;
	request->peers = {"10.0.0.1:6881", "[fe80::1]:6881"};
	request->trackers = {"http://tracker/announce"};
	request->allowed_checks = {"held", "mounted"};
	request->uploads_max = 7;
	request->is_verify = true;
	request->limits = {1ULL << 20, 3};
	request->priority = torrent_priority::high;
	kept_torrent torrent;
	torrent.info_hash = std::string(40, digit);
	torrent.request = std::move(request);
	torrent.device = {1ULL << 40, true, "wwid naa.5, start 2048"};
	torrent.added_unix_ms = added;
	torrent.is_paused = true;
	torrent.name = "root of it";
	torrent.times = {2000, std::nullopt, 4000};
	torrent.failure = make_io_error("pwritev", "/dev/with space", 0, 4096, 5);
	for (int i = 0; i < 21; ++i)
		torrent.pieces.push_back(i % 3 == 0);
	return torrent;
}

void check_same(kept_torrent const &a, kept_torrent const &b)
{
	CHECK(a.info_hash == b.info_hash);
	CHECK(a.request->torrent == b.request->torrent);
	CHECK(a.request->target == b.request->target);
	CHECK(a.request->is_seed == b.request->is_seed);
	CHECK(a.request->is_sequential == b.request->is_sequential);
	CHECK(a.request->peers == b.request->peers);
	CHECK(a.request->trackers == b.request->trackers);
	CHECK(a.request->allowed_checks == b.request->allowed_checks);
	CHECK(a.request->uploads_max == b.request->uploads_max);
	CHECK(a.request->connections_max == b.request->connections_max);
	CHECK(a.request->limits == b.request->limits);
	CHECK(a.request->priority == b.request->priority);
	CHECK(a.device == b.device);
	CHECK(a.added_unix_ms == b.added_unix_ms);
	CHECK(a.is_paused == b.is_paused);
	CHECK(a.is_doubtful == b.is_doubtful);
	CHECK(a.pieces == b.pieces);
	CHECK(a.request->is_verify == b.request->is_verify);
	CHECK(a.name == b.name);
	CHECK(a.times == b.times);
	CHECK(a.failure == b.failure);
}

std::unique_ptr<resume_files> open(folder const &room)
{
	auto opened = resume_files::open((room.path / "deep/state").string());
	REQUIRE(opened);
	return *std::move(opened);
}

} // namespace

TEST_CASE("resume data come back as they were")
{
	auto torrent = sample();
	auto const same = decode_resume(encode_resume(torrent), torrent.request->torrent);
	REQUIRE(same);
	check_same(torrent, *same);
	torrent.pieces.clear();
	torrent.is_paused = false;
	torrent.is_doubtful = true;
	torrent.failure.reset();
	torrent.times = {};
	auto const other = decode_resume(encode_resume(torrent), torrent.request->torrent);
	REQUIRE(other);
	check_same(torrent, *other);
}

TEST_CASE("every damaged byte and every missing end of resume data is noticed")
{
	auto const text = encode_resume(sample());
	for (std::size_t i = 0; i < text.size(); ++i) {
		auto damaged = text;
		damaged[i] = static_cast<char>(damaged[i] ^ 1);
		INFO("byte " << i);
		REQUIRE_FALSE(decode_resume(damaged, {}));
		REQUIRE_FALSE(decode_resume(text.substr(0, i), {}));
	}
	CHECK(decode_resume("eziod resume 2\nwhatever", {}).failure().code == errc::unsupported);
	CHECK(decode_resume("", {}).failure().code == errc::integrity);
}

TEST_CASE("what was saved is there for the next process, oldest first, until it is erased")
{
	folder const room;
	{
		auto const files = open(room);
		REQUIRE(files->save(sample('b', 2000)));
		REQUIRE(files->save(sample('a', 3000)));
		auto changed = sample('b', 2000);
		changed.pieces.assign(21, true);
		REQUIRE(files->save(changed));
		REQUIRE(files->save(sample('c', 1000)));
		REQUIRE(files->erase(std::string(40, 'c')));
		REQUIRE(files->erase(std::string(40, 'd')));
	}
	auto const files = open(room);
	auto const all = files->load();
	REQUIRE(all);
	CHECK(all->faults.empty());
	REQUIRE(all->torrents.size() == 2);
	CHECK(all->torrents[0].info_hash == std::string(40, 'b'));
	CHECK(all->torrents[0].pieces == std::vector<bool>(21, true));
	check_same(all->torrents[1], sample('a', 3000));
	CHECK(std::distance(std::filesystem::directory_iterator(room.path / "deep/state"), {}) == 4);
}

TEST_CASE("a damaged file is reported by its name and left alone, and the others are loaded")
{
	folder const room;
	auto const files = open(room);
	REQUIRE(files->save(sample('a')));
	REQUIRE(files->save(sample('b')));
	REQUIRE(files->save(sample('c')));
	auto const directory = room.path / "deep/state";
	std::ofstream(directory / (std::string(40, 'a') + ".resume"), std::ios::app) << "x";
	std::filesystem::remove(directory / (std::string(40, 'b') + ".torrent"));
	std::ofstream(directory / "notes.resume") << "not ours";
	auto const all = files->load();
	REQUIRE(all);
	REQUIRE(all->torrents.size() == 1);
	CHECK(all->torrents[0].info_hash == std::string(40, 'c'));
	REQUIRE(all->faults.size() == 2);
	for (auto const &fault : all->faults)
		CHECK(fault.device.starts_with(directory.string()));
	CHECK(std::filesystem::exists(directory / (std::string(40, 'a') + ".resume")));
}

TEST_CASE("resume data under the name of another torrent are not taken for it")
{
	folder const room;
	auto const files = open(room);
	REQUIRE(files->save(sample('a')));
	auto const directory = room.path / "deep/state";
	for (auto const *const suffix : {".resume", ".torrent"})
		std::filesystem::copy(
			directory / (std::string(40, 'a') + suffix), directory / (std::string(40, 'b') + suffix));
	auto const all = files->load();
	REQUIRE(all);
	CHECK(all->torrents.size() == 1);
	CHECK(all->faults.size() == 1);
}

TEST_CASE("one process has a state directory at a time, and nobody else may read it")
{
	folder const room;
	auto const first = open(room);
	auto const second = resume_files::open((room.path / "deep/state").string());
	REQUIRE_FALSE(second);
	CHECK(second.failure().code == errc::already_exists);
	struct stat status {
	};
	REQUIRE(::stat((room.path / "deep/state").c_str(), &status) == 0);
	CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a directory that cannot be made is an error with its path")
{
	folder const room;
	std::ofstream(room.path / "file") << "x";
	auto const opened = resume_files::open((room.path / "file/state").string());
	REQUIRE_FALSE(opened);
	CHECK(opened.failure().device.starts_with(room.path.string()));
	CHECK(opened.failure().os_errno != 0);
}
