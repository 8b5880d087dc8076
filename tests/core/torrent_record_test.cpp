#include "actors/core/torrent_record.hpp"
#include "tests/support/fake_block_device.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;
std::vector<bool> const all_pieces(8, true);

torrent_record make_record(bool is_seed = false, bool is_paused = false, bool is_check = false)
{
	torrent_file_entry const file{"0", 8 * mib, false};
	auto disk = std::make_shared<fake_disk>("/dev/fake0", 8 * mib, std::make_shared<fault_plan>());
	added_torrent added;
	added.info_hash = std::string(40, '1');
	added.name = "image";
	added.target = "/dev/fake0";
	added.target_storage =
		std::make_shared<storage>(storage_id{1}, added.info_hash, piece_geometry{8 * mib, mib},
			extent_map::build(std::span(&file, 1)).value(), std::make_shared<fake_device_claim>(disk));
	add_request request;
	request.is_seed = is_seed;
	request.is_paused = is_paused;
	request.is_check = is_check;
	return torrent_record(added, request, 1000);
}

session_fact::swarm_status downloading(std::uint64_t done = 0)
{
	session_fact::swarm_status status;
	status.size_bytes = 8 * mib;
	status.done_bytes = done;
	status.peers = 1;
	status.pieces_done = static_cast<std::uint32_t>(done / mib);
	return status;
}

session_fact::swarm_status complete()
{
	auto status = downloading(8 * mib);
	status.is_complete = true;
	return status;
}

session_fact::swarm_status checking(double progress = 0.5)
{
	auto status = downloading();
	status.is_checking = true;
	status.progress = progress;
	return status;
}

error io_failure()
{
	return make_io_error("pwritev", "/dev/fake0", 4096, 8192, EIO);
}

torrent_record synced_record()
{
	auto record = make_record();
	record.on_status(complete());
	record.sync_started();
	record.sync_ended(std::nullopt);
	return record;
}

} // namespace

TEST_CASE("only a torrent that seeds is warmed up, once at a time")
{
	auto record = make_record();
	CHECK(record.warm_started().failure().code == errc::invalid_argument);
	CHECK_FALSE(record.row().is_warming);
	CHECK_FALSE(record.row().warm_bytes);
	record.on_status(complete());
	record.sync_started();
	record.sync_ended(std::nullopt);
	REQUIRE(record.warm_started());
	CHECK(record.warm_started().failure().code == errc::already_exists);
	CHECK(record.row().is_warming);
	CHECK(record.row().warm_bytes == 0U);
	record.on_warmed(77);
	record.warm_ended();
	CHECK_FALSE(record.row().is_warming);
	CHECK(record.row().warm_bytes == 77U);
	record.pause();
	CHECK(record.warm_started().failure().code == errc::invalid_argument);
	record.resume();
	CHECK(record.may_warm());
	record.fail(make_error(errc::io_error, "x"));
	CHECK_FALSE(record.may_warm());
}

TEST_CASE("a download is complete only when a flush after the last piece succeeded", "[torrent-record]")
{
	auto record = make_record();
	CHECK(record.state() == torrent_state::checking);
	record.on_status(downloading(mib));
	CHECK(record.state() == torrent_state::downloading);
	CHECK_FALSE(record.wants_sync());
	record.on_complete();
	CHECK(record.state() == torrent_state::syncing);
	CHECK_FALSE(record.row().is_synced);
	REQUIRE(record.wants_sync());
	record.sync_started();
	CHECK_FALSE(record.wants_sync());
	record.sync_ended(std::nullopt);
	CHECK(record.state() == torrent_state::seeding);
	CHECK(record.row().is_synced);
	CHECK(record.row().done_bytes == 8 * mib);
}

TEST_CASE("a failed flush is an error, not a finish", "[torrent-record]")
{
	auto record = make_record();
	record.on_complete();
	record.sync_started();
	record.sync_ended(make_io_error("fdatasync", "/dev/fake0", 0, 0, EIO));
	CHECK(record.state() == torrent_state::error);
	CHECK_FALSE(record.row().is_synced);
	REQUIRE(record.failure());
	CHECK(record.failure()->operation == "fdatasync");
	CHECK_FALSE(record.wants_sync());
}

TEST_CASE("a write error that comes while the flush runs wins over its success", "[torrent-record]")
{
	auto record = make_record();
	record.on_complete();
	record.sync_started();
	CHECK(record.fail(io_failure()));
	record.sync_ended(std::nullopt);
	CHECK(record.state() == torrent_state::error);
	CHECK_FALSE(record.row().is_synced);
}

TEST_CASE("completeness reported after an error does not undo it", "[torrent-record]")
{
	auto record = make_record();
	CHECK(record.fail(io_failure()));
	record.on_complete();
	record.on_status(complete());
	CHECK(record.state() == torrent_state::error);
	CHECK_FALSE(record.wants_sync());
}

TEST_CASE("the first failure stays until the operator resumes", "[torrent-record]")
{
	auto record = make_record();
	CHECK(record.fail(io_failure()));
	CHECK_FALSE(record.fail(make_error(errc::internal, "a consequence")));
	CHECK(record.failure()->os_errno == EIO);
	CHECK(record.resume());
	CHECK_FALSE(record.failure());
}

TEST_CASE("after a resumed failure only what the re-check finds counts", "[torrent-record]")
{
	auto record = make_record();
	record.fail(io_failure());
	REQUIRE(record.resume());
	CHECK(record.state() == torrent_state::checking);
	// Still on their way from before.
	record.on_status(complete());
	record.on_complete();
	CHECK(record.state() == torrent_state::checking);
	CHECK_FALSE(record.wants_sync());
	record.on_status(checking());
	record.on_checked();
	record.on_status(downloading(2 * mib));
	CHECK(record.state() == torrent_state::downloading);
}

TEST_CASE("a source is in sync by nature and an incomplete one is an error", "[torrent-record]")
{
	auto record = make_record(true);
	record.on_status(checking());
	record.on_status(complete());
	CHECK(record.state() == torrent_state::seeding);
	CHECK_FALSE(record.wants_sync());

	auto damaged = make_record(true);
	damaged.on_status(checking());
	damaged.on_status(downloading(5 * mib));
	CHECK(damaged.state() == torrent_state::error);
	REQUIRE(damaged.failure());
	CHECK(damaged.failure()->code == errc::integrity);
}

TEST_CASE("a source that turns out damaged while it seeds is an error also if nobody saw it being checked",
	"[torrent-record]")
{
	auto record = make_record(true);
	record.on_status(checking());
	record.on_status(complete());
	REQUIRE(record.state() == torrent_state::seeding);
	record.on_status(downloading(6 * mib));
	CHECK(record.state() == torrent_state::error);
	CHECK_FALSE(record.row().is_synced);
	REQUIRE(record.failure());
	CHECK(to_string(*record.failure()) ==
		"/dev/fake0: the source does not match the torrent: 2 of 8 pieces differ");

	auto checked = make_record(true);
	checked.on_status(complete());
	checked.on_status(checking());
	CHECK(checked.state() == torrent_state::checking);
	CHECK_FALSE(checked.row().is_synced);
	checked.on_status(complete());
	CHECK(checked.state() == torrent_state::seeding);
	CHECK(checked.row().is_synced);

	// Once more damaged after the operator let it go on.
	REQUIRE(record.resume());
	record.on_checked();
	record.on_status(downloading(7 * mib));
	CHECK(record.state() == torrent_state::error);
}

TEST_CASE("a paused torrent that is being verified says so", "[torrent-record]")
{
	auto record = synced_record();
	REQUIRE(record.verify_started(all_pieces));
	record.pause();
	CHECK(record.state() == torrent_state::verifying);
	record.verify_ended(std::nullopt);
	CHECK(record.state() == torrent_state::finished);
}

TEST_CASE("a paused torrent is finished if it is done and paused if it is not", "[torrent-record]")
{
	auto record = synced_record();
	record.pause();
	CHECK(record.state() == torrent_state::finished);
	auto partial = make_record(false, true);
	partial.on_status(downloading(mib));
	CHECK(partial.state() == torrent_state::paused);
	CHECK_FALSE(partial.resume());
	CHECK(partial.state() == torrent_state::downloading);
}

TEST_CASE("a check asked for at add holds back completeness until it ends", "[torrent-record]")
{
	auto record = make_record(false, false, true);
	record.on_status(downloading(0));
	CHECK(record.state() == torrent_state::checking);
	record.on_status(checking(0.25));
	CHECK(record.row().progress == Approx(0.25));
	record.on_checked();
	record.on_status(complete());
	CHECK(record.wants_sync());
}

TEST_CASE("verification counts bad pieces and makes them an integrity error", "[torrent-record]")
{
	auto record = synced_record();
	REQUIRE(record.verify_started(all_pieces));
	CHECK(record.state() == torrent_state::verifying);
	CHECK(record.verify_started(all_pieces).failure().code == errc::already_exists);
	for (int i = 0; i < 8; ++i)
		record.on_piece_verified(piece_index{i}, true);
	record.verify_ended(std::nullopt);
	CHECK(record.row().is_verified);
	CHECK(record.row().bad_pieces == 0U);
	CHECK(record.state() == torrent_state::seeding);

	REQUIRE(record.verify_started(all_pieces));
	CHECK_FALSE(record.row().is_verified);
	// In no order, as partitions answer.
	for (int const i : {7, 3, 0, 5, 2, 6, 4, 1})
		record.on_piece_verified(piece_index{i}, i != 3);
	record.verify_ended(std::nullopt);
	CHECK(record.state() == torrent_state::error);
	CHECK(record.row().bad_pieces == 1U);
	CHECK_FALSE(record.row().is_synced);
	CHECK(record.failure()->code == errc::integrity);
	CHECK(record.failure()->device == "/dev/fake0");
	CHECK(record.row().bad_ranges.ranges == std::vector<byte_range>{{3 * mib, mib}});
	REQUIRE(record.resume());
	CHECK(record.row().bad_ranges.ranges.empty());
}

TEST_CASE("what differs is told as stretches of the device, neighbours as one", "[torrent-record]")
{
	auto record = synced_record();
	REQUIRE(record.verify_started(all_pieces));
	for (int const i : {4, 7, 3, 0, 5, 2, 6, 1})
		record.on_piece_verified(piece_index{i}, i == 0 || i == 2 || i == 6);
	record.verify_ended(std::nullopt);
	auto const row = record.row();
	CHECK(row.bad_pieces == 5U);
	CHECK(row.bad_ranges.ranges == std::vector<byte_range>{{mib, mib}, {3 * mib, 3 * mib}, {7 * mib, mib}});
	CHECK(row.bad_ranges.more == 0);
	CHECK(row.failure->message.find("5 of 8 pieces") != std::string::npos);
	CHECK(row.failure->message.find("offset 3145728 length 3145728") != std::string::npos);
}

TEST_CASE("stretches that cannot be read are listed until the operator lets it go on", "[torrent-record]")
{
	auto record = synced_record();
	record.on_read_error(make_io_error("preadv", "/dev/fake0", 4096, 4096, EIO));
	record.on_read_error(make_io_error("preadv", "/dev/fake0", 8192, 512, EIO));
	record.on_read_error(make_io_error("preadv", "/dev/fake0", 65536, 512, EIO));
	CHECK(record.row().read_errors == 3);
	CHECK(record.row().unreadable_ranges.ranges == std::vector<byte_range>{{4096, 4608}, {65536, 512}});
	CHECK(record.state() == torrent_state::seeding);
	record.fail(io_failure());
	REQUIRE(record.resume());
	CHECK(record.row().unreadable_ranges.ranges.empty());
	CHECK(record.row().read_errors == 3);
}

TEST_CASE("when something was reached is told once, and not any more after a failure", "[torrent-record]")
{
	auto record = make_record();
	record.on_status(downloading(mib));
	CHECK_FALSE(record.note_times(5));
	record.on_status(complete());
	CHECK(record.note_times(10));
	CHECK_FALSE(record.note_times(11));
	record.sync_started();
	record.sync_ended(std::nullopt);
	CHECK(record.note_times(20));
	CHECK(record.row().times == torrent_times{10, 20, std::nullopt});
	REQUIRE(record.verify_started(all_pieces));
	for (int i = 0; i < 8; ++i)
		record.on_piece_verified(piece_index{i}, true);
	record.verify_ended(std::nullopt);
	CHECK(record.note_times(30));
	CHECK(record.row().times == torrent_times{10, 20, 30});
	record.fail(io_failure());
	CHECK(record.note_times(40));
	CHECK(record.row().times == torrent_times{});
}

TEST_CASE("the last errors are kept for the report, each once", "[torrent-record]")
{
	auto record = make_record();
	for (std::uint64_t i = 0; i < 20; ++i) {
		auto const failure = make_io_error("preadv", "/dev/fake0", i * 512, 512, EIO);
		record.note_error(failure, i);
		record.note_error(failure, i);
	}
	auto const evidence = record.row().evidence;
	REQUIRE(evidence);
	CHECK(evidence->errors_total == 20);
	REQUIRE(evidence->errors.size() == torrent_evidence::errors_max);
	CHECK(evidence->errors.front().unix_ms == 4);
	CHECK(evidence->errors.back().what.offset_bytes == 19 * 512U);
}

TEST_CASE("a torrent that had failed before is in error until it is resumed", "[torrent-record]")
{
	auto const before = make_record();
	add_request request;
	request.is_check = true;
	request.known_failure = io_failure();
	request.known_times = {1, 2, 3};
	torrent_record record(before.added(), request, 1000);
	CHECK(record.state() == torrent_state::error);
	CHECK(record.failure() == io_failure());
	CHECK(record.row().times == torrent_times{});
	record.on_status(complete());
	CHECK(record.state() == torrent_state::error);
	CHECK(record.resume());
	CHECK(record.state() == torrent_state::checking);
}

TEST_CASE(
	"a verification is refused while there is nothing to read, or it is hashed anyway", "[torrent-record]")
{
	auto record = make_record();
	CHECK(record.verify_started(all_pieces).failure().code == errc::invalid_argument);
	record.on_status(downloading(mib));
	CHECK(record.verify_started({}).failure().code == errc::invalid_argument);
	record.fail(io_failure());
	CHECK(record.verify_started(all_pieces).failure().code == errc::invalid_argument);
	CHECK(record.resume());
	CHECK(record.verify_started(all_pieces).failure().code == errc::invalid_argument);
}

TEST_CASE("of an incomplete torrent what is there is verified, and vouches for no more", "[torrent-record]")
{
	auto record = make_record();
	record.on_status(downloading(mib));
	REQUIRE(record.verify_started({true, false, true}));
	CHECK(record.state() == torrent_state::verifying);
	CHECK(record.is_to_verify(piece_index{0}));
	CHECK_FALSE(record.is_to_verify(piece_index{1}));
	CHECK(record.verify_started({true}).failure().code == errc::already_exists);
	record.on_piece_verified(piece_index{0}, true);
	CHECK(record.row().progress == Approx(0.5));
	SECTION("all of it matches")
	{
		record.on_piece_verified(piece_index{2}, true);
		// The rest comes in meanwhile.
		record.on_status(complete());
		record.sync_started();
		record.sync_ended(std::nullopt);
		record.verify_ended(std::nullopt);
		CHECK(record.row().bad_pieces == 0U);
		CHECK(record.row().is_synced);
		CHECK_FALSE(record.row().is_verified);
	}
	SECTION("a piece does not: it is never taken for there again until all is hashed")
	{
		record.on_piece_verified(piece_index{2}, false);
		record.verify_ended(std::nullopt);
		CHECK(record.state() == torrent_state::error);
		CHECK(record.failure()->code == errc::integrity);
		CHECK(record.failure()->message.find("1 of 2 pieces") != std::string::npos);
		CHECK(record.resume());
		CHECK(record.state() == torrent_state::checking);
	}
}

TEST_CASE("rates are means over seconds and the estimate follows them", "[torrent-record]")
{
	auto record = make_record();
	auto now = monotonic_time{} + std::chrono::hours(1);
	auto status = downloading(0);
	for (int i = 0; i <= 4; ++i) {
		status.downloaded_bytes = static_cast<std::uint64_t>(i) * mib / 2;
		status.done_bytes = status.downloaded_bytes;
		record.on_status(status);
		record.sample_rates(now);
		now += std::chrono::milliseconds(500);
	}
	auto const row = record.row();
	CHECK(row.down_rate == mib);
	CHECK(row.eta_seconds == 6U);
	// Silence brings it to nothing.
	for (int i = 0; i < 20; ++i) {
		record.sample_rates(now);
		now += std::chrono::milliseconds(500);
	}
	CHECK(record.row().down_rate == 0);
	CHECK_FALSE(record.row().eta_seconds);
}

TEST_CASE("a rate is taken between statuses, however late they come", "[torrent-record]")
{
	auto record = make_record();
	auto now = monotonic_time{} + std::chrono::hours(1);
	auto status = downloading(0);
	// One status a second of a steady stream, looked at twice a second.
	for (int second = 0; second < 5; ++second) {
		status.downloaded_bytes = static_cast<std::uint64_t>(second) * mib;
		record.on_status(status);
		record.sample_rates(now);
		now += std::chrono::milliseconds(500);
		record.sample_rates(now);
		if (second > 0)
			CHECK(record.row().down_rate == mib);
		now += std::chrono::milliseconds(500);
	}
	record.pause();
	CHECK(record.row().down_rate == 0);
}

TEST_CASE(
	"peers are wanted only while there is something to fetch and nobody to fetch it from", "[torrent-record]")
{
	auto record = make_record();
	CHECK_FALSE(record.wants_peers());
	auto alone = downloading(mib);
	alone.peers = 0;
	record.on_status(alone);
	CHECK(record.wants_peers());
	record.pause();
	CHECK_FALSE(record.wants_peers());
	record.resume();
	record.on_status(downloading(mib));
	CHECK_FALSE(record.wants_peers());
	alone.is_complete = true;
	record.on_status(alone);
	CHECK_FALSE(record.wants_peers());
}
