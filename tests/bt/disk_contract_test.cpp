#include "tests/bt/disk_fixture.hpp"

#include <libtorrent/hasher.hpp>
#include <libtorrent/peer_request.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr int block = 16 * 1024;

/// The payload as the torrent wants it: a function of the offset.
std::vector<char> payload(int offset, int length)
{
	std::vector<char> bytes(static_cast<std::size_t>(length));
	for (int i = 0; i < length; ++i) {
		auto const at = static_cast<unsigned>(offset + i);
		bytes[static_cast<std::size_t>(i)] = static_cast<char>((at * 2654435761U) >> 24);
	}
	return bytes;
}

int piece_size(int piece)
{
	return std::min(disk_fixture::piece_bytes, disk_fixture::total_bytes - piece * disk_fixture::piece_bytes);
}

/// Writes all blocks of a piece; counts answers and keeps the first error.
struct writes {
	int answered = 0;
	lt::storage_error failure;
};

void write_piece(disk_fixture &fixture, int piece, writes &seen)
{
	for (int start = 0; start < piece_size(piece); start += block) {
		auto const length = std::min(block, piece_size(piece) - start);
		auto bytes = payload(piece * disk_fixture::piece_bytes + start, length);
		fixture.disk().async_write(fixture.index(), {lt::piece_index_t{piece}, start, length}, bytes.data(),
			nullptr, [&seen](lt::storage_error const &e) {
				++seen.answered;
				if (e && !seen.failure)
					seen.failure = e;
			});
		// The buffer is ours again as soon as the call returns.
		std::fill(bytes.begin(), bytes.end(), '\x55');
	}
}

int blocks_of(int piece)
{
	return (piece_size(piece) + block - 1) / block;
}

std::unique_ptr<disk_fixture> make_fixture(std::string const &kind)
{
	if (kind == "libtorrent")
		return std::make_unique<libtorrent_fixture>();
	return std::make_unique<adapter_fixture>();
}

} // namespace

TEST_CASE("what was written is read back, also when read is submitted in the same batch", "[disk-contract]")
{
	auto const kind = GENERATE(as<std::string>{}, "adapter", "libtorrent");
	CAPTURE(kind);
	writes seen;
	int reads = 0;
	auto const fixture = make_fixture(kind);
	write_piece(*fixture, 1, seen);
	write_piece(*fixture, 5, seen);
	for (int piece : {1, 5}) {
		for (int start = 0; start < piece_size(piece); start += block) {
			auto const length = std::min(block, piece_size(piece) - start);
			fixture->disk().async_read(fixture->index(), {lt::piece_index_t{piece}, start, length},
				[&reads, piece, start, length](lt::disk_buffer_holder buffer, lt::storage_error const &e) {
					CHECK_FALSE(e);
					// libtorrent hands out whole blocks, also where less was asked for.
					REQUIRE(buffer.size() >= length);
					auto const want = payload(piece * disk_fixture::piece_bytes + start, length);
					CHECK(std::memcmp(buffer.data(), want.data(), want.size()) == 0);
					++reads;
				});
		}
	}
	fixture->disk().submit_jobs();
	auto const expected = blocks_of(1) + blocks_of(5);
	REQUIRE(fixture->run_until([&] { return seen.answered == expected && reads == expected; }));
	CHECK_FALSE(seen.failure);
}

TEST_CASE("a hash sees the writes before it and may be asked for in the same batch", "[disk-contract]")
{
	auto const kind = GENERATE(as<std::string>{}, "adapter", "libtorrent");
	CAPTURE(kind);
	auto const fixture = make_fixture(kind);
	for (int piece : {0, 5}) {
		writes seen;
		lt::sha1_hash got;
		bool hashed = false;
		write_piece(*fixture, piece, seen);
		fixture->disk().async_hash(fixture->index(), lt::piece_index_t{piece}, {},
			lt::disk_interface::v1_hash,
			[&](lt::piece_index_t p, lt::sha1_hash const &h, lt::storage_error const &e) {
				CHECK_FALSE(e);
				CHECK(p == lt::piece_index_t{piece});
				got = h;
				hashed = true;
			});
		fixture->disk().submit_jobs();
		REQUIRE(fixture->run_until([&] { return hashed && seen.answered == blocks_of(piece); }));
		auto const bytes = payload(piece * disk_fixture::piece_bytes, piece_size(piece));
		CHECK(got == lt::hasher(bytes).final());
	}
}

TEST_CASE("block hashes of version 2 arrive in the span that was given", "[disk-contract]")
{
	auto const kind = GENERATE(as<std::string>{}, "adapter", "libtorrent");
	CAPTURE(kind);
	auto const fixture = make_fixture(kind);
	constexpr int piece = 5; // short: its last block is 3616 bytes
	writes seen;
	std::vector<lt::sha256_hash> hashes(static_cast<std::size_t>(blocks_of(piece)));
	bool hashed = false;
	write_piece(*fixture, piece, seen);
	fixture->disk().async_hash(fixture->index(), lt::piece_index_t{piece}, hashes,
		lt::disk_interface::v1_hash,
		[&](lt::piece_index_t, lt::sha1_hash const &, lt::storage_error const &e) {
			CHECK_FALSE(e);
			hashed = true;
		});
	fixture->disk().submit_jobs();
	REQUIRE(fixture->run_until([&] { return hashed; }));
	for (int i = 0; i < blocks_of(piece); ++i) {
		auto const length = std::min(block, piece_size(piece) - i * block);
		auto const bytes = payload(piece * disk_fixture::piece_bytes + i * block, length);
		CHECK(hashes[static_cast<std::size_t>(i)] == lt::hasher256(bytes).final());
	}
	REQUIRE(fixture->run_until([&] { return seen.answered == blocks_of(piece); }));
}

TEST_CASE("handlers of writes, hashes and control jobs are posted, never called inline", "[disk-contract]")
{
	auto const kind = GENERATE(as<std::string>{}, "adapter", "libtorrent");
	CAPTURE(kind);
	writes seen;
	int others = 0;
	auto const fixture = make_fixture(kind);
	write_piece(*fixture, 0, seen);
	fixture->disk().async_hash(fixture->index(), lt::piece_index_t{0}, {}, lt::disk_interface::v1_hash,
		[&](lt::piece_index_t, lt::sha1_hash const &, lt::storage_error const &) { ++others; });
	fixture->disk().async_clear_piece(
		fixture->index(), lt::piece_index_t{0}, [&](lt::piece_index_t) { ++others; });
	fixture->disk().async_set_file_priority(fixture->index(), {},
		[&](lt::storage_error const &, lt::aux::vector<lt::download_priority_t, lt::file_index_t>) {
			++others;
		});
	fixture->disk().async_check_files(
		fixture->index(), nullptr, {}, [&](lt::status_t, lt::storage_error const &) { ++others; });
	fixture->disk().async_release_files(fixture->index(), [&] { ++others; });
	fixture->disk().submit_jobs();
	CHECK(seen.answered == 0);
	CHECK(others == 0);
	REQUIRE(fixture->run_until([&] { return seen.answered == blocks_of(0) && others == 5; }));
	// Nothing comes twice.
	fixture->shut_down();
	CHECK(seen.answered == blocks_of(0));
	CHECK(others == 5);
}

TEST_CASE("empty handlers and null observers are allowed", "[disk-contract]")
{
	auto const kind = GENERATE(as<std::string>{}, "adapter", "libtorrent");
	CAPTURE(kind);
	auto const fixture = make_fixture(kind);
	fixture->disk().async_release_files(fixture->index(), {});
	fixture->disk().async_stop_torrent(fixture->index(), {});
	fixture->disk().submit_jobs();
	writes seen;
	write_piece(*fixture, 2, seen);
	fixture->disk().submit_jobs();
	CHECK(fixture->run_until([&] { return seen.answered == blocks_of(2); }));
}

TEST_CASE("a shutdown answers every job that is outstanding", "[disk-contract]")
{
	auto const kind = GENERATE(as<std::string>{}, "adapter", "libtorrent");
	CAPTURE(kind);
	writes seen;
	int hashes = 0;
	int expected = 0;
	auto const fixture = make_fixture(kind);
	for (int piece = 0; piece <= 5; ++piece) {
		write_piece(*fixture, piece, seen);
		expected += blocks_of(piece);
		fixture->disk().async_hash(fixture->index(), lt::piece_index_t{piece}, {},
			lt::disk_interface::v1_hash,
			[&](lt::piece_index_t, lt::sha1_hash const &, lt::storage_error const &) { ++hashes; });
	}
	fixture->shut_down();
	CHECK(seen.answered == expected);
	CHECK(hashes == 6);
}
