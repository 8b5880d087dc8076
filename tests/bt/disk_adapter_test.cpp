#include "tests/bt/disk_fixture.hpp"

#include <libtorrent/hasher.hpp>
#include <libtorrent/peer_request.hpp>

#include <boost/asio/error.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr int block = 16 * 1024;

struct counting_observer final : lt::disk_observer {
	int calls = 0;
	void on_disk() override { ++calls; }
};

struct write_answers {
	std::vector<lt::error_code> codes;
};

bool write_block(adapter_fixture &fixture, int piece, int start, char fill, write_answers &answers,
	std::shared_ptr<lt::disk_observer> observer = nullptr, std::size_t storage = 0)
{
	std::vector<char> const bytes(block, fill);
	return fixture.disk().async_write(fixture.index_of(storage), {lt::piece_index_t{piece}, start, block},
		bytes.data(), std::move(observer),
		[&answers](lt::storage_error const &e) { answers.codes.push_back(e.ec); });
}

/// Asks for a piece's first block, and for handing over.
void read_block(adapter_fixture &fixture, int piece, std::size_t &answered)
{
	fixture.disk().async_read(fixture.index(), {lt::piece_index_t{piece}, 0, block},
		[&answered](lt::disk_buffer_holder const &buffer, lt::storage_error const &e) {
			CHECK_FALSE(e);
			CHECK(buffer.data() != nullptr);
			++answered;
		},
		{});
	fixture.disk().submit_jobs();
}

/// The pieces that were read from the device, as far as it got.
std::set<int> pieces_read(adapter_fixture &fixture)
{
	std::set<int> pieces;
	for (auto const &o : fixture.device().operations()) {
		if (o.kind == device_call::read)
			pieces.insert(static_cast<int>(o.offset_bytes / disk_fixture::piece_bytes));
	}
	return pieces;
}

} // namespace

TEST_CASE("contiguous blocks of a piece reach the device in one write", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	for (int start = 0; start < disk_fixture::piece_bytes; start += block)
		write_block(fixture, 3, start, 'x', answers);
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return answers.codes.size() == 4; }));
	auto const operations = fixture.device().operations();
	auto const is_write = [](auto const &o) { return o.kind == device_call::write; };
	REQUIRE(std::count_if(operations.begin(), operations.end(), is_write) == 1);
	auto const written = *std::find_if(operations.begin(), operations.end(), is_write);
	CHECK(written.offset_bytes == 3U * disk_fixture::piece_bytes);
	CHECK(written.length_bytes == disk_fixture::piece_bytes);
}

TEST_CASE("a read of a cached block is answered from the block that was received", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	write_block(fixture, 1, 0, 'y', answers);
	bool done = false;
	fixture.disk().async_read(fixture.index(), {lt::piece_index_t{1}, 0, block},
		[&](lt::disk_buffer_holder buffer, lt::storage_error const &e) {
			CHECK_FALSE(e);
			REQUIRE(buffer.data() != nullptr);
			CHECK(fixture.arena().owns(reinterpret_cast<std::byte const *>(buffer.data())));
			CHECK(std::count(buffer.data(), buffer.data() + buffer.size(), 'y') == block);
			done = true;
		});
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return done && answers.codes.size() == 1; }));
	for (auto const &o : fixture.device().operations())
		CHECK(o.kind != device_call::read);
}

TEST_CASE(
	"reads that follow each other closely wait for more, and go without being asked again", "[disk-adapter]")
{
	adapter_fixture fixture;
	std::size_t answered = 0;
	auto const begun = monotonic_clock::now();
	for (int piece = 0; piece < 4; ++piece)
		read_block(fixture, piece, answered);
	auto const is_close = monotonic_clock::now() - begun < submission_pace::gap;
	// Everything that was handed over has been done after this; no handler runs meanwhile.
	REQUIRE_FALSE(fixture.partitions().resize(fixture.budget(2)).failure);
	if (is_close)
		CHECK(pieces_read(fixture) == std::set{0});
	else
		WARN("the machine is too slow to see reads wait");
	// Nobody calls submit_jobs() any more.
	REQUIRE(fixture.run_until([&] { return answered == 4; }));
	CHECK(pieces_read(fixture) == std::set{0, 1, 2, 3});
}

TEST_CASE("nothing waits for more while peers are told to wait", "[disk-adapter]")
{
	adapter_fixture::options options;
	options.dirty_bytes = 2 * block;
	write_answers answers;
	adapter_fixture fixture(options);
	auto const observer = std::make_shared<counting_observer>();
	write_block(fixture, 0, 0, 'a', answers, observer);
	REQUIRE(write_block(fixture, 0, block, 'a', answers, observer));
	std::size_t answered = 0;
	for (int piece = 1; piece < 4; ++piece)
		read_block(fixture, piece, answered);
	REQUIRE_FALSE(fixture.partitions().resize(fixture.budget(2)).failure);
	CHECK(pieces_read(fixture) == std::set{1, 2, 3});
	REQUIRE(fixture.run_until([&] { return answered == 3 && answers.codes.size() == 2; }));
}

TEST_CASE("nothing waits for more once the session closes", "[disk-adapter]")
{
	adapter_fixture fixture;
	std::size_t answered = 0;
	read_block(fixture, 0, answered);
	read_block(fixture, 1, answered);
	fixture.disk().abort(false);
	read_block(fixture, 2, answered);
	REQUIRE_FALSE(fixture.partitions().resize(fixture.budget(2)).failure);
	CHECK(pieces_read(fixture) == std::set{0, 1, 2});
	REQUIRE(fixture.run_until([&] { return answered == 3; }));
}

TEST_CASE("reads that wait for more when a storage goes are answered before", "[disk-adapter]")
{
	adapter_fixture fixture;
	std::size_t answered = 0;
	for (int piece = 0; piece < 4; ++piece)
		read_block(fixture, piece, answered);
	fixture.shut_down();
	CHECK(answered == 4);
}

TEST_CASE("released files keep what was received in the cache", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	write_block(fixture, 1, 0, 'y', answers);
	bool released = false;
	fixture.disk().async_release_files(fixture.index(), [&] { released = true; });
	REQUIRE(fixture.run_until([&] { return released && answers.codes.size() == 1; }));
	CHECK(fixture.arena().used_blocks() == 1);
}

TEST_CASE("a request that crosses blocks is assembled", "[disk-adapter]")
{
	adapter_fixture fixture;
	bool done = false;
	constexpr int start = block - 100;
	fixture.disk().async_read(fixture.index(), {lt::piece_index_t{2}, start, 5000},
		[&](lt::disk_buffer_holder buffer, lt::storage_error const &e) {
			CHECK_FALSE(e);
			REQUIRE(buffer.size() == 5000);
			auto const at = 2U * disk_fixture::piece_bytes + start;
			auto const want = fixture.device().bytes(at, 5000);
			CHECK(std::memcmp(buffer.data(), want.data(), want.size()) == 0);
			done = true;
		});
	fixture.disk().submit_jobs();
	CHECK(fixture.run_until([&] { return done; }));
}

TEST_CASE(
	"a full device looks like a hard error to libtorrent and like itself to the operator", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	fixture.device().faults().always(device_call::write, {fault::kind::fail, ENOSPC});
	for (int start = 0; start < disk_fixture::piece_bytes; start += block)
		write_block(fixture, 0, start, 'z', answers);
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return answers.codes.size() == 4; }));
	// One report stops the torrent; the others would only repeat it.
	auto const hard = std::count(answers.codes.begin(), answers.codes.end(),
		lt::error_code(boost::system::errc::io_error, boost::system::generic_category()));
	auto const aborted = std::count(
		answers.codes.begin(), answers.codes.end(), lt::error_code(boost::asio::error::operation_aborted));
	CHECK(hard == 1);
	CHECK(aborted == 3);
	REQUIRE_FALSE(fixture.errors().empty());
	CHECK(fixture.errors().front().os_errno == ENOSPC);
	CHECK(fixture.errors().front().device == "/dev/fake0");
	CHECK(fixture.errors().front().offset_bytes == 0U);
}

TEST_CASE("a failed read is answered with its errno and without a buffer", "[disk-adapter]")
{
	adapter_fixture fixture;
	fixture.device().faults().always(device_call::read, {fault::kind::fail, EIO});
	lt::error_code code;
	bool has_data = true;
	bool done = false;
	fixture.disk().async_read(fixture.index(), {lt::piece_index_t{0}, 0, block},
		[&](lt::disk_buffer_holder buffer, lt::storage_error const &e) {
			code = e.ec;
			has_data = buffer.data() != nullptr;
			done = true;
		});
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return done; }));
	CHECK(code == lt::error_code(boost::system::errc::io_error, boost::system::generic_category()));
	CHECK_FALSE(has_data);
}

TEST_CASE("a hash whose read fails reports the error instead of a digest", "[disk-adapter]")
{
	adapter_fixture fixture;
	fixture.device().faults().always(device_call::read, {fault::kind::fail, EIO});
	lt::error_code code;
	bool done = false;
	fixture.disk().async_hash(fixture.index(), lt::piece_index_t{4}, {}, lt::disk_interface::v1_hash,
		[&](lt::piece_index_t, lt::sha1_hash const &, lt::storage_error const &e) {
			code = e.ec;
			done = true;
		});
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return done; }));
	CHECK(code == lt::error_code(boost::system::errc::io_error, boost::system::generic_category()));
}

TEST_CASE("peers wait at the high mark and are called once each below the low mark", "[disk-adapter]")
{
	adapter_fixture::options options;
	options.dirty_bytes = 4 * block;
	write_answers answers;
	adapter_fixture fixture(options);
	auto const first = std::make_shared<counting_observer>();
	auto const second = std::make_shared<counting_observer>();
	CHECK_FALSE(write_block(fixture, 0, 0, 'a', answers, first));
	CHECK_FALSE(write_block(fixture, 0, block, 'a', answers, first));
	CHECK_FALSE(write_block(fixture, 1, 0, 'a', answers, first));
	CHECK(write_block(fixture, 1, 2 * block, 'a', answers, first));
	CHECK(write_block(fixture, 2, 0, 'a', answers, second));
	fixture.disk().submit_jobs();
	// Neither piece is complete nor any run long: only back-pressure makes the partitions write now.
	REQUIRE(fixture.run_until([&] { return answers.codes.size() == 5; }));
	REQUIRE(fixture.run_until([&] { return first->calls == 1 && second->calls == 1; }));
	CHECK(fixture.backpressure().count == 1);
	CHECK(fixture.backpressure().dirty_bytes == 0);
	fixture.shut_down();
	CHECK(first->calls == 1);
	CHECK(second->calls == 1);
}

TEST_CASE("a device that hangs keeps its own peers waiting and nobody else's", "[disk-adapter]")
{
	adapter_fixture::options options;
	options.dirty_bytes = 8 * block; // four for each
	write_answers hung;
	write_answers others;
	adapter_fixture fixture(options);
	auto const other = fixture.add_device("/dev/fake1");
	fixture.device().faults().hang(device_call::write);
	auto const hung_peer = std::make_shared<counting_observer>();
	auto const other_peer = std::make_shared<counting_observer>();
	// Each piece is complete, so that every partition of the device is in a write that does not end.
	bool is_full = false;
	for (int piece = 0; piece < 5; ++piece)
		for (int start = 0; start < disk_fixture::piece_bytes; start += block)
			is_full = write_block(fixture, piece, start, 'h', hung, hung_peer);
	CHECK(is_full);
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return fixture.device().faults().hanging() == 3; }));

	for (std::size_t round = 0; round < 5; ++round) {
		for (int i = 0; i < 3; ++i)
			CHECK_FALSE(write_block(fixture, i, 0, 'o', others, other_peer, other));
		CHECK(write_block(fixture, 3, 0, 'o', others, other_peer, other));
		REQUIRE(fixture.run_until([&] { return others.codes.size() == 4 * (round + 1); }));
		REQUIRE(fixture.run_until([&] { return other_peer->calls == static_cast<int>(round) + 1; }));
	}
	CHECK(hung.codes.empty());
	CHECK(hung_peer->calls == 0);
	CHECK(fixture.backpressure(0).dirty_bytes == 20U * block);
	CHECK(fixture.backpressure(0).waited.is_busy());
	CHECK(fixture.backpressure(other).dirty_bytes == 0);
	CHECK_FALSE(fixture.backpressure(other).waited.is_busy());

	fixture.device().faults().go_on();
	REQUIRE(fixture.run_until([&] { return hung.codes.size() == 20; }));
	REQUIRE(fixture.run_until([&] { return hung_peer->calls == 17; }));
	CHECK(fixture.backpressure(0).dirty_bytes == 0);
}

TEST_CASE("an observer that is gone is not called", "[disk-adapter]")
{
	adapter_fixture::options options;
	options.dirty_bytes = block;
	write_answers answers;
	adapter_fixture fixture(options);
	auto observer = std::make_shared<counting_observer>();
	CHECK(write_block(fixture, 0, 0, 'a', answers, observer));
	observer.reset();
	CHECK(fixture.run_until([&] { return answers.codes.size() == 1; }));
}

TEST_CASE("an exhausted budget fails the one block and nothing else", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	// Take every block away.
	std::vector<block_ref> taken;
	while (auto b = fixture.arena().allocate(block_purpose::receive))
		taken.push_back(std::move(b));
	write_block(fixture, 0, 0, 'a', answers);
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return answers.codes.size() == 1; }));
	CHECK(answers.codes[0] ==
		lt::error_code(boost::system::errc::not_enough_memory, boost::system::generic_category()));
	CHECK(fixture.backpressure().dirty_bytes == 0);
	taken.clear();
	write_block(fixture, 0, 0, 'a', answers);
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return answers.codes.size() == 2; }));
	CHECK_FALSE(answers.codes[1]);
}

TEST_CASE("peers wait while memory is short, and are called back with the next completion", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	auto const observer = std::make_shared<counting_observer>();
	CHECK_FALSE(write_block(fixture, 0, 0, 'a', answers, observer));
	std::vector<block_ref> taken;
	// Far below the mark of dirty bytes, yet what is left would not take what peers have under way.
	while (fixture.arena().used_blocks() + fixture.arena().reserve_blocks() / 4 <
		fixture.arena().capacity_blocks())
		taken.push_back(fixture.arena().allocate(block_purpose::receive));
	CHECK(write_block(fixture, 0, block, 'a', answers, observer));
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return answers.codes.size() == 2; }));
	REQUIRE(fixture.run_until([&] { return observer->calls == 1; }));
	CHECK(fixture.backpressure().refused == 0);
	CHECK(fixture.backpressure().count == 1);
}

TEST_CASE("peers wait while memory is short and the device's own jobs still hold some", "[disk-adapter]")
{
	write_answers held;
	write_answers others;
	adapter_fixture fixture;
	auto const other = fixture.add_device("/dev/fake1");
	auto const observer = std::make_shared<counting_observer>();
	auto const other_observer = std::make_shared<counting_observer>();
	fixture.device().faults().hang(device_call::write);
	for (int start = 0; start < disk_fixture::piece_bytes; start += block)
		write_block(fixture, 0, start, 'h', held, observer);
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return fixture.device().faults().hanging() == 1; }));
	std::vector<block_ref> taken;
	while (fixture.arena().used_blocks() + fixture.arena().reserve_blocks() / 4 <
		fixture.arena().capacity_blocks())
		taken.push_back(fixture.arena().allocate(block_purpose::receive));

	// Dirty bytes are far below the mark. A device with nothing else under way goes on, the other waits.
	CHECK(write_block(fixture, 1, 0, 'h', held, observer));
	CHECK(write_block(fixture, 0, 0, 'o', others, other_observer, other));
	REQUIRE(fixture.run_until([&] { return other_observer->calls == 1; }));
	CHECK(others.codes.size() == 1);
	CHECK(fixture.backpressure(0).dirty_bytes <= fixture.backpressure(0).mark_bytes / 2);
	CHECK(observer->calls == 0);

	taken.clear();
	fixture.device().faults().go_on();
	REQUIRE(fixture.run_until([&] { return observer->calls == 1; }));
	CHECK(fixture.backpressure().refused == 0);
}

TEST_CASE("the first check trusts the caller and every later one asks for hashing", "[disk-adapter]")
{
	auto const full_check = GENERATE(false, true);
	std::vector<lt::status_t> answers;
	adapter_fixture::options options;
	options.full_check = full_check;
	adapter_fixture fixture(options);
	auto const check = [&] {
		fixture.disk().async_check_files(
			fixture.index(), nullptr, {}, [&](lt::status_t status, lt::storage_error const &e) {
				CHECK_FALSE(e);
				answers.push_back(status);
			});
		auto const wanted = answers.size() + 1;
		return fixture.run_until([&] { return answers.size() == wanted; });
	};
	REQUIRE(check());
	REQUIRE(check());
	CHECK(answers[0] == (full_check ? lt::status_t::need_full_check : lt::status_t::no_error));
	CHECK(answers[1] == lt::status_t::need_full_check);
}

TEST_CASE("a device that does not open fails the check", "[disk-adapter]")
{
	adapter_fixture fixture;
	fixture.device().faults().always(device_call::open, {fault::kind::fail, ENXIO});
	bool done = false;
	fixture.disk().async_check_files(
		fixture.index(), nullptr, {}, [&](lt::status_t status, lt::storage_error const &e) {
			CHECK(status == lt::status_t::fatal_disk_error);
			CHECK(e);
			done = true;
		});
	REQUIRE(fixture.run_until([&] { return done; }));
	fixture.device().faults().switch_off();
}

TEST_CASE("files are neither renamed, moved nor deleted", "[disk-adapter]")
{
	adapter_fixture fixture;
	int answered = 0;
	fixture.disk().async_rename_file(fixture.index(), lt::file_index_t{0}, "elsewhere",
		[&](std::string const &, lt::file_index_t, lt::storage_error const &e) {
			CHECK(e);
			++answered;
		});
	fixture.disk().async_move_storage(fixture.index(), "/tmp/elsewhere",
		lt::move_flags_t::always_replace_files,
		[&](lt::status_t status, std::string const &, lt::storage_error const &e) {
			CHECK(status == lt::status_t::fatal_disk_error);
			CHECK(e);
			++answered;
		});
	auto const before = fixture.device().bytes(0, disk_fixture::total_bytes);
	fixture.disk().async_delete_files(fixture.index(), {}, [&](lt::storage_error const &e) {
		CHECK_FALSE(e);
		++answered;
	});
	REQUIRE(fixture.run_until([&] { return answered == 3; }));
	CHECK(fixture.device().bytes(0, disk_fixture::total_bytes) == before);
}

TEST_CASE(
	"stopping writes what is dirty, closes the device and tells that the storage is gone", "[disk-adapter]")
{
	write_answers answers;
	adapter_fixture fixture;
	write_block(fixture, 0, 0, 'q', answers);
	fixture.shut_down();
	CHECK(answers.codes.size() == 1);
	CHECK(fixture.device().bytes(0, 1).front() == std::byte{'q'});
	CHECK(fixture.device().open_handles() == 0);
	CHECK(fixture.removed() == std::vector<std::string>{std::string(40, 'a')});
}

TEST_CASE("a buffer given to libtorrent outlives its cache entry and comes back once", "[disk-adapter]")
{
	adapter_fixture fixture;
	lt::disk_buffer_holder kept;
	bool done = false;
	fixture.disk().async_read(fixture.index(), {lt::piece_index_t{0}, 0, block},
		[&](lt::disk_buffer_holder buffer, lt::storage_error const &) {
			kept = std::move(buffer);
			done = true;
		});
	fixture.disk().submit_jobs();
	REQUIRE(fixture.run_until([&] { return done; }));
	bool cleared = false;
	fixture.disk().async_clear_piece(
		fixture.index(), lt::piece_index_t{0}, [&](lt::piece_index_t) { cleared = true; });
	REQUIRE(fixture.run_until([&] { return cleared; }));
	CHECK(fixture.arena().used_blocks() == 1);
	auto const want = fixture.device().bytes(0, block);
	CHECK(std::memcmp(kept.data(), want.data(), want.size()) == 0);
	kept.reset();
	CHECK(fixture.arena().used_blocks() == 0);
}

TEST_CASE("an unknown storage answers with an error", "[disk-adapter]")
{
	adapter_fixture fixture;
	// libtorrent asks for a storage that was never deposited.
	lt::aux::vector<lt::download_priority_t, lt::file_index_t> const priorities;
	std::string const path = "/999";
	lt::storage_params const params(
		fixture.files(), nullptr, path, lt::storage_mode_sparse, priorities, lt::sha1_hash());
	auto holder = fixture.disk().new_torrent(params, nullptr);
	bool done = false;
	fixture.disk().async_check_files(
		holder, nullptr, {}, [&](lt::status_t status, lt::storage_error const &e) {
			CHECK(status == lt::status_t::fatal_disk_error);
			CHECK(e);
			done = true;
		});
	REQUIRE(fixture.run_until([&] { return done; }));
	holder.reset();
}
