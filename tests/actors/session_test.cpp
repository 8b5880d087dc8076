#include "tests/actors/session_bench.hpp"
#include "tests/support/recording_sink.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

using namespace ezio;
using namespace ezio::test;

TEST_CASE("a sync asked for while the partitions change goes to the new ones, all of them", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_hold_sync();
	CHECK(bench.disk->faults().calls_of(device_call::flush) == 0);
	bench.router.release({bench.ports[1]});
	bench.world.run();
	CHECK(bench.row().state == torrent_state::seeding);
	CHECK(bench.count(event_kind::torrent_synced) == 1);
	CHECK(bench.disk->faults().calls_of(device_call::flush) == 1);
}

TEST_CASE("a drained partition has written, forgotten and, if told so, closed everything", "[disk-partition]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	auto const handles = bench.disk->open_handles();
	auto const kept =
		bench.world.ask<void_reply>(bench.partitions[0], drain_atom::value, drain_request{false});
	REQUIRE(kept->value);
	CHECK(*kept->value);
	CHECK(bench.disk->open_handles() == handles);
	auto const closed =
		bench.world.ask<void_reply>(bench.partitions[0], drain_atom::value, drain_request{true});
	REQUIRE(closed->value);
	CHECK(*closed->value);
	CHECK(bench.disk->open_handles() == handles - 1);
}

TEST_CASE("a complete torrent is flushed on every partition before it counts as done", "[session]")
{
	session_bench bench;
	CHECK(bench.add().value() == hash_one);
	bench.complete_and_sync();
	CHECK(bench.row().state == torrent_state::seeding);
	CHECK(bench.row().is_synced);
	CHECK(bench.states() == std::vector<std::string>{"downloading", "syncing", "seeding"});
	CHECK(bench.count(event_kind::torrent_synced) == 1);
	CHECK(bench.disk->faults().calls_of(device_call::flush) == 2);
}

TEST_CASE("a flush that fails makes an error with the whole story and stops the torrent", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.disk->faults().always(device_call::flush, {fault::kind::fail, EIO});
	bench.complete_and_sync();
	auto const row = bench.row();
	CHECK(row.state == torrent_state::error);
	CHECK_FALSE(row.is_synced);
	REQUIRE(row.failure);
	CHECK(row.failure->os_errno == EIO);
	CHECK(row.failure->device == "/dev/fake0");
	CHECK(bench.swarm->was_asked("pause"));
	CHECK(bench.count(event_kind::torrent_synced) == 0);
	CHECK(bench.count(event_kind::torrent_error) == 1);
	bench.disk->faults().switch_off();
}

TEST_CASE("the partitions are told how many peers lack pieces", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.swarm->report_status(true, 7, 2);
	bench.world.run();
	CHECK(bench.swarm->target->readers() == 5);
	bench.swarm->report_status(true, 1, 2);
	bench.world.run();
	CHECK(bench.swarm->target->readers() == 0);
}

TEST_CASE("a fatal disk error stops the torrent once, a failed read is only counted", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	session_fact fact;
	fact.what = session_fact::kind::disk_error;
	fact.failure = make_io_error("preadv", "/dev/fake0", 0, 16384, EIO);
	bench.swarm->report(fact);
	bench.world.run();
	CHECK(bench.row().read_errors == 1);
	CHECK(bench.row().state != torrent_state::error);
	fact.is_fatal = true;
	fact.failure = make_io_error("pwritev", "/dev/fake0", 0, 16384, ENOSPC);
	bench.swarm->report(fact);
	bench.swarm->report(fact);
	bench.world.run();
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.row().failure->os_errno == ENOSPC);
	CHECK(bench.count(event_kind::disk_error) == 3);
	CHECK(bench.count(event_kind::torrent_error) == 1);
}

TEST_CASE("transfers that were tried again are counted and told of, once for all of a moment", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	auto const cause = make_io_error("pwritev", "/dev/fake0", 0, 16384, ETIMEDOUT);
	for (int i = 0; i < 3; ++i)
		bench.swarm->target->count_retry(cause);
	bench.world.pass(timeouts::status_interval);
	CHECK(bench.row().retries == 3);
	CHECK(bench.count(event_kind::disk_retry) == 1);
	bench.world.pass(timeouts::status_interval);
	CHECK(bench.count(event_kind::disk_retry) == 1);
	bench.swarm->target->count_retry(cause);
	bench.world.pass(timeouts::status_interval);
	CHECK(bench.row().retries == 4);
	CHECK(bench.count(event_kind::disk_retry) == 2);
	CHECK(bench.row().state != torrent_state::error);
}

TEST_CASE("a torrent on its way out waits for no retry", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	auto const target = bench.swarm->target;
	CHECK(target->wait_before_retry(std::chrono::milliseconds(0)));
	bench.world.ask<void_reply>(bench.actor, remove_atom::value, hash_one);
	CHECK_FALSE(target->wait_before_retry(std::chrono::hours(1)));
}

TEST_CASE("resuming a failed torrent clears the device's state and hashes again before anything counts",
	"[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.disk->faults().at_call_of(device_call::flush, 0, {fault::kind::fail, EIO});
	bench.complete_and_sync();
	REQUIRE(bench.row().state == torrent_state::error);
	CHECK(bench.tell(resume_atom::value));
	CHECK(bench.swarm->was_asked("recheck"));
	CHECK(bench.swarm->was_asked("resume"));
	CHECK_FALSE(bench.swarm->target->has_failed());
	CHECK(bench.row().state == torrent_state::checking);
	// A stale report from before does not make it done.
	bench.swarm->report_status(true);
	bench.world.run();
	CHECK(bench.row().state == torrent_state::checking);
	bench.swarm->report(session_fact::kind::checked);
	bench.swarm->report_status(true);
	bench.world.run();
	CHECK(bench.row().is_synced);
}

namespace
{

/// A torrent's life from add to stop, of which one device call fails.
class swept_life
{
public:
	swept_life(device_call kind, std::uint64_t call)
	{
		m_bench.disk->faults().at_call_of(kind, call, {});
		m_bench.swarm->wanted = content;
		m_sink.on_finished = [this](tracked_job &job) {
			if (!job.failure)
				return;
			session_fact fact;
			fact.what = session_fact::kind::disk_error;
			fact.failure = job.failure;
			fact.is_fatal = job.is_first_failure;
			m_bench.swarm->report(std::move(fact));
		};
	}

	void run()
	{
		REQUIRE(m_bench.add());
		download();
		m_bench.receive({true, true, false, false}); // a checkpoint
		m_bench.complete_and_sync();
		check_synced();
		if (m_bench.row().state == torrent_state::seeding) {
			CHECK(m_bench.tell(verify_atom::value));
			m_bench.world.run();
		}
		m_has_failed = m_bench.row().state == torrent_state::error;
		if (m_has_failed) {
			CHECK(m_bench.row().failure->message == fault_mark);
			CHECK(m_bench.count(event_kind::torrent_error) == 1);
			CHECK(m_bench.kept().is_doubtful);
			mend();
		}
		CHECK(m_bench.row().is_verified);
		CHECK(m_bench.row().is_synced);
		CHECK(m_bench.stop());
	}

	bool is_played() const { return m_bench.disk->faults().played() > 0; }
	bool has_failed() const { return m_has_failed; }

	/// Answers whether every job came back once.
	bool is_whole()
	{
		m_bench.world.run();
		return m_sink.faults().empty() && m_sink.answered() == m_sink.made();
	}

private:
	static constexpr auto content = std::byte{0x5a};

	void download()
	{
		auto const &target = m_bench.swarm->target;
		for (std::int32_t piece = 0; piece < target->pieces().piece_count(); ++piece) {
			std::vector<job_ptr> jobs;
			for (std::uint32_t at = 0; at < mib; at += block_bytes) {
				auto job = m_sink.make_job(job_kind::write, target);
				job->piece = piece_index{piece};
				job->offset_bytes = at;
				job->length_bytes = block_bytes;
				job->block = m_bench.arena->allocate(block_purpose::receive);
				REQUIRE(job->block);
				std::memset(job->block.data(), std::to_integer<int>(content), block_bytes);
				jobs.push_back(std::move(job));
			}
			m_bench.router.submit(std::move(jobs));
			m_bench.world.run();
		}
	}

	void check_synced()
	{
		if (!m_bench.row().is_synced)
			return;
		m_bench.disk->cut_power();
		CHECK(m_bench.disk->bytes(0, 4 * mib) == std::vector(4 * mib, content));
	}

	/// The cause is gone, the operator resumes, what differs is fetched again.
	void mend()
	{
		m_bench.disk->faults().switch_off();
		CHECK(m_bench.tell(resume_atom::value));
		CHECK(m_bench.row().state == torrent_state::checking);
		m_bench.swarm->report(session_fact::kind::checked);
		m_bench.swarm->report_status(false);
		m_bench.world.run();
		download();
		m_bench.swarm->report_status(true);
		m_bench.world.run();
		CHECK(m_bench.row().is_synced);
		check_synced();
		CHECK(m_bench.tell(verify_atom::value));
		m_bench.world.run();
	}

	recording_sink m_sink;
	session_bench m_bench;
	bool m_has_failed = false;
};

} // namespace

TEST_CASE(
	"whichever device call fails in a torrent's life, it is told once and mended by a resume", "[session]")
{
	auto const kind = GENERATE(device_call::open, device_call::read, device_call::write, device_call::flush);
	CAPTURE(static_cast<int>(kind));
	std::uint64_t call = 0;
	for (;; ++call) {
		INFO("fault at call " << call << " of this kind");
		swept_life life(kind, call);
		life.run();
		CHECK(life.is_whole());
		CHECK(life.has_failed() == life.is_played());
		if (!life.is_played())
			break;
		REQUIRE(call < 1000);
	}
	// There are two partitions.
	CHECK(call >= 2);
}

TEST_CASE("verification reads the device and names what differs", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	CHECK(bench.tell(verify_atom::value).failure().code == errc::invalid_argument);
	bench.complete_and_sync();
	CHECK(bench.tell(verify_atom::value));
	bench.world.run();
	CHECK(bench.row().is_verified);
	CHECK(bench.row().bad_pieces == 0U);
	CHECK(bench.count(event_kind::torrent_verified) == 1);

	bench.swarm->wrong_piece = 2;
	CHECK(bench.tell(verify_atom::value));
	bench.world.run();
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.row().failure->code == errc::integrity);
	CHECK(bench.row().bad_pieces == 1U);
	auto const named = std::find_if(bench.events.begin(), bench.events.end(),
		[](event const &e) { return e.kind == event_kind::hash_failed; });
	REQUIRE(named != bench.events.end());
	CHECK(named->piece == 2);
}

TEST_CASE(
	"a verification of an incomplete torrent reads what is there, and what differs stops it", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.swarm->report_status(false);
	CHECK(bench.tell(verify_atom::value).failure().code == errc::invalid_argument); // nothing is there
	bench.swarm->pieces_now = {true, false, true, false};
	CHECK(bench.tell(verify_atom::value));
	bench.world.run();
	CHECK(bench.row().state == torrent_state::downloading);
	CHECK(bench.row().bad_pieces == 0U);
	CHECK_FALSE(bench.row().is_verified);
	CHECK(bench.disk->faults().calls_of(device_call::read) == 2);
	auto const told = std::find_if(bench.events.begin(), bench.events.end(),
		[](event const &e) { return e.kind == event_kind::torrent_verified; });
	REQUIRE(told != bench.events.end());
	CHECK(told->text == "every piece that is there matches: 2 of 4");

	bench.swarm->wrong_piece = 2;
	CHECK(bench.tell(verify_atom::value));
	bench.world.run();
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.row().bad_ranges.ranges == std::vector<byte_range>{{2 * mib, mib}});
	CHECK(bench.swarm->was_asked("pause"));
	// Nothing that it had counts any more until it is hashed.
	CHECK(bench.kept().is_doubtful);
	CHECK(bench.tell(resume_atom::value));
	CHECK(bench.swarm->was_asked("recheck"));
	CHECK(bench.row().state == torrent_state::checking);
}

TEST_CASE(
	"a verification of a part delays neither a checkpoint nor the verification of the whole", "[session]")
{
	session_bench bench;
	add_request request;
	request.target = "/dev/fake0";
	request.is_verify = true;
	REQUIRE(*bench.ask_to_add(request)->value);
	caf::anon_send(bench.actor, limits_atom::value, verify_rate{1});
	bench.swarm->report_status(false);
	bench.swarm->pieces_now = {true, true, false, false};
	CHECK(bench.tell(verify_atom::value));
	CHECK(bench.row().state == torrent_state::verifying);
	bench.receive({true, true, false, false});
	CHECK(bench.row().state == torrent_state::verifying);
	CHECK(bench.kept().pieces == std::vector<bool>{true, true, false, false});
	bench.complete_and_sync();
	CHECK(bench.row().is_synced);
	caf::anon_send(bench.actor, limits_atom::value, verify_rate{0});
	bench.world.pass(timeouts::verify_interval);
	bench.world.run();
	CHECK(bench.count(event_kind::torrent_verified) == 2);
	CHECK(bench.row().is_verified);
}

TEST_CASE("a verification of a failed torrent resumes it, and begins when all is there again", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.disk->faults().at_call_of(device_call::flush, 0, {fault::kind::fail, EIO});
	bench.complete_and_sync();
	REQUIRE(bench.row().state == torrent_state::error);
	CHECK(bench.tell(verify_atom::value));
	CHECK(bench.swarm->was_asked("recheck"));
	CHECK(bench.row().state == torrent_state::checking);
	bench.swarm->report(session_fact::kind::checked);
	bench.complete_and_sync();
	bench.world.run();
	CHECK(bench.row().is_verified);
	CHECK(bench.count(event_kind::torrent_verified) == 1);
}

TEST_CASE("who lets a torrent go on while what it failed at is ending is answered when it does", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_hold_sync();
	bench.swarm->report(failed_write());
	bench.world.run();
	REQUIRE(bench.row().state == torrent_state::error);
	auto const resumed = bench.world.ask<void_reply>(bench.actor, resume_atom::value, hash_one);
	auto const verified = bench.world.ask<void_reply>(bench.actor, verify_atom::value, hash_one);
	CHECK_FALSE(resumed->value);
	CHECK_FALSE(verified->value);
	CHECK(bench.row().state == torrent_state::error);
	SECTION("it goes on")
	{
		bench.router.release(bench.ports);
		bench.world.run();
		REQUIRE(resumed->value);
		REQUIRE(verified->value);
		CHECK(*resumed->value);
		CHECK(*verified->value);
		CHECK(bench.row().state == torrent_state::checking);
		bench.swarm->report(session_fact::kind::checked);
		bench.complete_and_sync();
		bench.world.run();
		CHECK(bench.row().is_verified);
	}
	SECTION("it is removed")
	{
		auto const removed = bench.world.ask<void_reply>(bench.actor, remove_atom::value, hash_one);
		bench.swarm->report(session_fact::kind::removed);
		bench.world.run();
		REQUIRE(removed->value);
		REQUIRE(resumed->value);
		CHECK(resumed->value->failure().code == errc::not_found);
		CHECK(verified->value->failure().code == errc::not_found);
		bench.router.release(bench.ports);
	}
	SECTION("the daemon stops")
	{
		bench.is_stopped = true;
		auto const stopped = bench.world.ask<void_reply>(bench.actor, stop_atom::value);
		REQUIRE(resumed->value);
		CHECK_FALSE(*resumed->value);
		CHECK_FALSE(*verified->value);
		bench.router.release(bench.ports);
		bench.world.run();
		CHECK(stopped->value);
	}
}

TEST_CASE("a verification asked for while the last bytes are flushed begins after them", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_hold_sync();
	CHECK(bench.tell(verify_atom::value));
	CHECK(bench.row().state == torrent_state::syncing);
	bench.router.release(bench.ports);
	bench.world.run();
	CHECK(bench.row().is_verified);
}

TEST_CASE("a piece that was read again can be sent again, whoever read it", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	auto const &unreadable = *bench.swarm->target->unreadable();
	auto const is_any = [&unreadable] {
		return unreadable.contains(piece_index{1}) || unreadable.contains(piece_index{3});
	};
	auto const fail = [&bench] {
		bench.swarm->target->unreadable()->add(piece_index{1});
		bench.swarm->target->unreadable()->add(piece_index{3});
	};
	fail();
	SECTION("a verification")
	{
		CHECK(bench.tell(verify_atom::value));
		bench.world.run();
		CHECK_FALSE(is_any());
	}
	SECTION("a warm-up")
	{
		CHECK(bench.tell(warm_atom::value));
		bench.world.run();
		CHECK_FALSE(is_any());
		// And one that fails tells of what cannot be sent.
		bench.disk->faults().always(device_call::read, {});
		auto const drained =
			bench.world.ask<void_reply>(bench.partitions[0], drain_atom::value, drain_request{false});
		REQUIRE(drained->value);
		bench.world.ask<void_reply>(bench.partitions[1], drain_atom::value, drain_request{false});
		CHECK(bench.tell(warm_atom::value));
		bench.world.run();
		CHECK(unreadable.contains(piece_index{0}));
	}
	SECTION("nobody, for a minute")
	{
		bench.world.pass(timeouts::status_interval); // seen
		bench.world.pass(timeouts::retry_unreadable - timeouts::status_interval);
		CHECK(is_any());
		bench.world.pass(timeouts::status_interval);
		CHECK_FALSE(is_any());
	}
	SECTION("the operator says so")
	{
		CHECK(bench.tell(resume_atom::value));
		CHECK_FALSE(is_any());
	}
	SECTION("a check after a failure")
	{
		bench.swarm->report(failed_write());
		bench.world.run();
		fail();
		CHECK(bench.tell(resume_atom::value));
		CHECK_FALSE(is_any());
	}
}

TEST_CASE("a verification goes on as fast as the rate allows, and a new rate counts", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	// A piece now, the next one in a thousand years.
	caf::anon_send(bench.actor, limits_atom::value, verify_rate{1});
	bench.world.run();
	auto const read_before = bench.disk->faults().calls_of(device_call::read);
	CHECK(bench.tell(verify_atom::value));
	for (int i = 0; i < 5; ++i)
		bench.world.pass(timeouts::verify_interval);
	CHECK(bench.row().state == torrent_state::verifying);
	CHECK(bench.disk->faults().calls_of(device_call::read) == read_before + 1);
	CHECK(bench.row().progress == Approx(0.25));
	CHECK(bench.count(event_kind::torrent_verified) == 0);
	caf::anon_send(bench.actor, limits_atom::value, verify_rate{0});
	bench.world.pass(timeouts::verify_interval);
	CHECK(bench.row().is_verified);
	CHECK(bench.count(event_kind::torrent_verified) == 1);
}

TEST_CASE(
	"a verification that was asked for at add begins by itself once all is on stable storage", "[session]")
{
	session_bench bench;
	add_request request;
	request.target = "/dev/fake0";
	request.is_verify = true;
	REQUIRE(*bench.world.ask<text_reply>(bench.actor, add_atom::value, request)->value);
	bench.swarm->wrong_piece = 2;
	bench.complete_and_sync();
	bench.world.run();
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.row().bad_ranges.ranges == std::vector<byte_range>{{2 * mib, mib}});
	// Mended and fetched again it is verified again.
	bench.swarm->wrong_piece = -1;
	CHECK(bench.tell(resume_atom::value));
	bench.swarm->report(session_fact::kind::checked);
	bench.complete_and_sync();
	bench.world.run();
	CHECK(bench.row().is_verified);
	CHECK(bench.row().times.verified_unix_ms);
	CHECK(bench.kept().times.verified_unix_ms == bench.row().times.verified_unix_ms);
	CHECK(bench.kept().request->is_verify);
}

TEST_CASE("a torrent of the last run that cannot go on is shown, and can be resumed or removed", "[session]")
{
	session_bench bench;
	bench.store->kept[hash_one].info_hash = hash_one;
	add_request request;
	request.target = "/dev/mounted";
	request.added_unix_ms = 1000;
	request.known_info_hash = hash_one;
	request.known_name = "image";
	auto const restore = [&] {
		return *bench.world.ask<text_reply>(bench.actor, add_atom::value, request)->value;
	};
	CHECK(restore().failure().check == "mounted");
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.row().failure->check == "mounted");
	CHECK(bench.row().name == "image");
	CHECK(bench.row().target == "/dev/mounted");
	CHECK(bench.count(event_kind::torrent_error) == 1);
	CHECK(bench.tell(pause_atom::value).failure().message.find("resume or remove") != std::string::npos);
	CHECK(bench.tell(resume_atom::value).failure().check == "mounted");
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.store->kept.contains(hash_one));
	CHECK(bench.tell(remove_atom::value));
	CHECK_FALSE(bench.store->kept.contains(hash_one));
	CHECK((*bench.world.ask<rows_reply>(bench.actor, status_atom::value)->value)->empty());
	CHECK(bench.tell(remove_atom::value).failure().code == errc::not_found);
	CHECK(bench.count(event_kind::torrent_removed) == 1);

	// A target that is refused at an operator's add leaves nothing.
	request.added_unix_ms.reset();
	CHECK_FALSE(restore());
	CHECK((*bench.world.ask<rows_reply>(bench.actor, status_atom::value)->value)->empty());
}

TEST_CASE("a torrent that had failed before a restart waits for the operator", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.disk->faults().at_call_of(device_call::flush, 0, {fault::kind::fail, EIO});
	bench.complete_and_sync();
	CHECK(bench.kept().failure->os_errno == EIO);
	CHECK(bench.kept().is_doubtful);

	session_bench again;
	add_request request;
	request.target = "/dev/fake0";
	request.added_unix_ms = 1000;
	request.known_info_hash = hash_one;
	request.known_failure = bench.kept().failure;
	request.is_check = true;
	REQUIRE(*again.world.ask<text_reply>(again.actor, add_atom::value, request)->value);
	again.swarm->report_status(true);
	again.world.run();
	CHECK(again.row().state == torrent_state::error);
	CHECK(again.row().failure->os_errno == EIO);
	CHECK(again.kept().failure->os_errno == EIO);
	CHECK_FALSE(again.swarm->was_asked("resume"));
	CHECK(again.tell(resume_atom::value));
	CHECK(again.swarm->was_asked("recheck"));
	CHECK(again.swarm->was_asked("resume"));
	CHECK_FALSE(again.kept().failure);
}

TEST_CASE("a verification that cannot read ends as an error", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	bench.disk->faults().always(device_call::read, {fault::kind::fail, EIO});
	CHECK(bench.tell(verify_atom::value));
	bench.world.run();
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.row().failure->os_errno == EIO);
	CHECK_FALSE(bench.row().is_verified);
}

TEST_CASE("a warm-up reads the source into the cache once and tells how far it is", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	CHECK(bench.tell(warm_atom::value).failure().code == errc::invalid_argument);
	bench.complete_and_sync();
	CHECK_FALSE(bench.row().warm_bytes);
	auto const read_bytes = [&bench] { return bench.stats[0]->read_bytes + bench.stats[1]->read_bytes; };
	for (std::size_t round = 1; round <= 2; ++round) {
		CHECK(bench.tell(warm_atom::value));
		bench.world.run();
		CHECK(bench.row().warm_bytes == 4 * mib);
		CHECK_FALSE(bench.row().is_warming);
		CHECK(read_bytes() == 4 * mib);
		CHECK(bench.count(event_kind::torrent_warmed) == round);
	}
	CHECK(bench.events.back().new_value == std::to_string(4 * mib));
	CHECK(bench.row().state == torrent_state::seeding);
}

TEST_CASE("pausing ends a warm-up", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	bench.router.hold();
	bench.router.release({bench.ports[1]});
	bench.router.hold();
	CHECK(bench.tell(warm_atom::value));
	CHECK(bench.row().is_warming);
	CHECK(bench.tell(warm_atom::value).failure().code == errc::already_exists);
	CHECK(bench.tell(pause_atom::value));
	bench.router.release();
	bench.world.run();
	CHECK_FALSE(bench.row().is_warming);
	// The two stretches that were under way.
	CHECK(bench.row().warm_bytes == 2 * mib);
	CHECK(bench.count(event_kind::torrent_warmed) == 1);
}

TEST_CASE("a warm-up that cannot read ends with the story and leaves the torrent alone", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	bench.disk->faults().always(device_call::read, {});
	CHECK(bench.tell(warm_atom::value));
	bench.world.run();
	CHECK(bench.row().state == torrent_state::seeding);
	CHECK(bench.row().warm_bytes == 0U);
	CHECK(bench.row().read_errors > 0);
	auto const told = std::find_if(bench.events.begin(), bench.events.end(),
		[](event const &e) { return e.kind == event_kind::torrent_warmed; });
	REQUIRE(told != bench.events.end());
	REQUIRE(told->failure);
	CHECK(told->failure->os_errno == EIO);
}

TEST_CASE("a torrent that a failed read has stopped tells of that read", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	session_fact read;
	read.what = session_fact::kind::disk_error;
	read.failure = make_io_error("preadv", "/dev/fake0", 4096, 8192, EIO);
	bench.swarm->report(read);
	bench.world.run();
	CHECK(bench.row().state != torrent_state::error);
	session_fact stopped;
	stopped.what = session_fact::kind::torrent_error;
	stopped.failure = make_error(errc::io_error, "Input/output error");
	bench.swarm->report(stopped);
	bench.world.run();
	REQUIRE(bench.row().state == torrent_state::error);
	CHECK(bench.row().failure == read.failure);
	CHECK(bench.row().read_errors == 1);
}

TEST_CASE("removal answers only when the storage is gone", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	auto const answer = bench.world.ask<void_reply>(bench.actor, remove_atom::value, hash_one);
	CHECK(bench.swarm->was_asked("remove"));
	CHECK_FALSE(answer->value);
	bench.swarm->report(session_fact::kind::removed);
	bench.world.run();
	REQUIRE(answer->value);
	CHECK(*answer->value);
	CHECK(bench.count(event_kind::torrent_removed) == 1);
	CHECK(bench.tell(pause_atom::value).failure().code == errc::not_found);
}

TEST_CASE("a refused target reaches the caller as it is and leaves no torrent", "[session]")
{
	session_bench bench;
	auto const refused = bench.add("/dev/mounted");
	REQUIRE_FALSE(refused);
	CHECK(refused.failure().code == errc::target_refused);
	CHECK(refused.failure().check == "mounted");
	auto const rows = bench.world.ask<rows_reply>(bench.actor, status_atom::value);
	CHECK((*rows->value)->empty());
}

TEST_CASE("a torrent without peers asks again for the ones that were named", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.swarm->report_status(false, 0);
	bench.world.run();
	CHECK_FALSE(bench.swarm->was_asked("connect"));
	bench.world.pass(timeouts::status_interval);
	CHECK(bench.swarm->was_asked("connect"));
	CHECK(bench.swarm->was_asked("status"));
}

TEST_CASE("limits and priority of a torrent are changed at once, shown, and kept for a restart", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	CHECK_FALSE(bench.swarm->was_asked("limits 0 0"));
	torrent_tuning tuning;
	tuning.up_limit = 500;
	tuning.priority = torrent_priority::high;
	auto const answer = bench.world.ask<void_reply>(bench.actor, tune_atom::value, hash_one, tuning);
	REQUIRE(answer->value);
	CHECK(*answer->value);
	CHECK(bench.swarm->was_asked("limits 500 0"));
	CHECK(bench.row().limits == torrent_limits{500, 0});
	CHECK(bench.row().priority == torrent_priority::high);
	CHECK_FALSE(bench.row().is_held);
	CHECK(bench.kept().request->limits == torrent_limits{500, 0});
	CHECK(bench.kept().request->priority == torrent_priority::high);
	auto const missing =
		bench.world.ask<void_reply>(bench.actor, tune_atom::value, std::string(40, '9'), tuning);
	REQUIRE(missing->value);
	CHECK(missing->value->failure().code == errc::not_found);
}

TEST_CASE("a slow start is a limit of the session that rises with time and goes", "[session]")
{
	session_bench bench;
	auto const set = [&bench](char const *key, char const *value) {
		auto const answer =
			bench.world.ask<void_reply>(bench.actor, setting_atom::value, session_setting{key, value, false});
		REQUIRE(answer->value);
		CHECK(*answer->value);
	};
	set("slow-start-step", "100");
	set("slow-start-end", "300");
	CHECK(bench.asked.empty());
	set("slow-start", "200");
	CHECK(bench.swarm->was_asked("set upload-limit 200"));
	CHECK(bench.swarm->was_asked("set download-limit 200"));
	REQUIRE(bench.add());
	CHECK(bench.row().slow_start_rate == 200u * 1024);
	set("max-uploads", "3");
	CHECK(bench.swarm->was_asked("set max-uploads 3"));
	set("slow-start", "0");
	CHECK(bench.swarm->was_asked("set upload-limit 0"));
	CHECK_FALSE(bench.row().slow_start_rate);
}

TEST_CASE("stopping closes the session, waits for its own jobs and refuses what comes later", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.complete_and_sync();
	CHECK(bench.stop());
	CHECK(bench.asked.back() == "close");
}

TEST_CASE(
	"a torrent that completes while it is removed is not synced through handles opened anew", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.swarm->report_status(false);
	bench.world.run();
	bench.world.ask<void_reply>(bench.actor, remove_atom::value, hash_one);
	bench.swarm->report_status(true);
	bench.world.run();
	// The session let go of the device before: whoever opens it now keeps it for ever.
	CHECK(bench.disk->open_handles() == 0);
	bench.swarm->report(session_fact::kind::removed);
	bench.world.run();
}

TEST_CASE("data lost while the session closes makes the stop fail", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.swarm->at_close.push_back(failed_write());
	auto const stopped = bench.stop();
	REQUIRE_FALSE(stopped);
	CHECK(stopped.failure().os_errno == EIO);
	CHECK(bench.count(event_kind::disk_error) == 1);
}

TEST_CASE("a torrent is kept from the moment it is added until it is removed", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	CHECK(bench.kept().request->target == "/dev/fake0");
	CHECK(bench.kept().pieces == std::vector<bool>(4));
	CHECK_FALSE(bench.kept().is_paused);
	CHECK_FALSE(bench.kept().is_doubtful);
	REQUIRE(bench.tell(pause_atom::value));
	CHECK(bench.kept().is_paused);
	REQUIRE(bench.tell(resume_atom::value));
	CHECK_FALSE(bench.kept().is_paused);
	auto const removal = bench.world.ask<void_reply>(bench.actor, remove_atom::value, hash_one);
	bench.swarm->report(session_fact::kind::removed);
	bench.world.run();
	CHECK(bench.store->kept.empty());
}

TEST_CASE("who is told that a torrent is added finds it again after a kill at that moment", "[session]")
{
	session_bench bench;
	std::optional<bool> was_kept;
	add_request request;
	request.target = "/dev/fake0";
	auto const asker = bench.world.system().spawn([&](caf::event_based_actor *self) {
		self->request(bench.actor, caf::infinite, add_atom::value, request)
			.then([&](text_reply &) { was_kept = bench.store->kept.contains(hash_one); },
				[](caf::error const &) {});
	});
	// The asker goes first whenever it may.
	auto &scheduler = bench.world.scheduler();
	while (scheduler.has_job()) {
		scheduler.prioritize(asker);
		scheduler.run_once();
	}
	CHECK(was_kept == true);
}

namespace
{

/// Asks for a change, lets the asker go first whenever it may, and answers what @p is_kept said when the
/// answer came.
template <class Is, class... What>
std::optional<bool> kept_when_told(session_bench &bench, Is is_kept, What const &...what)
{
	std::optional<bool> was_kept;
	auto const asker = bench.world.system().spawn([&](caf::event_based_actor *self) {
		self->request(bench.actor, caf::infinite, what...)
			.then([&](void_reply const &reply) { was_kept = reply && is_kept(); }, [](caf::error const &) {});
	});
	auto &scheduler = bench.world.scheduler();
	for (bool is_reported = false; !was_kept;) {
		// libtorrent lets go of a torrent when it is asked to.
		if (bench.swarm->was_asked("remove") && !std::exchange(is_reported, true))
			bench.swarm->report(session_fact::kind::removed);
		if (!scheduler.has_job())
			break;
		scheduler.prioritize(asker);
		scheduler.run_once();
	}
	return was_kept;
}

} // namespace

TEST_CASE("who is told of a change finds it after a kill at that moment", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	SECTION("paused")
	{
		auto const is_kept = [&] { return bench.store->kept[hash_one].is_paused; };
		CHECK(kept_when_told(bench, is_kept, pause_atom::value, hash_one) == true);
	}
	SECTION("resumed")
	{
		REQUIRE(bench.tell(pause_atom::value));
		auto const is_kept = [&] { return !bench.store->kept[hash_one].is_paused; };
		CHECK(kept_when_told(bench, is_kept, resume_atom::value, hash_one) == true);
	}
	SECTION("tuned")
	{
		torrent_tuning tuning;
		tuning.up_limit = 500;
		auto const is_kept = [&] { return bench.store->kept[hash_one].request->limits.up == 500; };
		CHECK(kept_when_told(bench, is_kept, tune_atom::value, hash_one, tuning) == true);
	}
	SECTION("removed")
	{
		auto const is_kept = [&] { return bench.store->kept.empty(); };
		CHECK(kept_when_told(bench, is_kept, remove_atom::value, hash_one) == true);
	}
	SECTION("what cannot be kept is answered all the same")
	{
		bench.store->failure = make_io_error("write", "/var/lib/ezio", 0, 0, ENOSPC);
		CHECK(bench.tell(pause_atom::value));
		CHECK(bench.row().state == torrent_state::paused);
	}
}

TEST_CASE("who is told that a torrent is synced finds it complete after a kill at that moment", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.swarm->report_status(false);
	bench.swarm->report_status(true);
	std::optional<bool> was_kept;
	// Who listens goes first whenever it may.
	auto &scheduler = bench.world.scheduler();
	while (scheduler.has_job()) {
		scheduler.prioritize(bench.watcher);
		scheduler.run_once();
		if (!was_kept && bench.count(event_kind::torrent_synced) > 0)
			was_kept = bench.store->kept[hash_one].pieces == std::vector<bool>(4, true);
	}
	CHECK(was_kept == true);
	CHECK(bench.row().is_synced);
}

TEST_CASE("a torrent that cannot be kept is synced all the same", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.store->failure = make_io_error("write", "/var/lib/ezio", 0, 0, ENOSPC);
	bench.complete_and_sync();
	CHECK(bench.row().is_synced);
	CHECK(bench.count(event_kind::torrent_synced) == 1);
}

TEST_CASE("pieces are kept only after a flush that came after them", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.receive({true, false, false, false});
	CHECK(bench.kept().pieces == std::vector<bool>(4)); // too little for a checkpoint
	CHECK(bench.disk->faults().calls_of(device_call::flush) == 0);

	bench.router.hold(); // the flush is under way
	bench.receive({true, false, true, false});
	bench.swarm->pieces_now = {true, true, true, false};
	bench.world.run();
	CHECK(bench.kept().pieces == std::vector<bool>(4));
	bench.router.release(bench.ports);
	CHECK(bench.kept().pieces == std::vector<bool>{true, false, true, false});
	CHECK(bench.disk->faults().calls_of(device_call::flush) == 2);
	CHECK(bench.row().state == torrent_state::downloading);

	bench.complete_and_sync();
	CHECK(bench.kept().pieces == std::vector<bool>(4, true));
}

TEST_CASE("a checkpoint whose flush fails keeps nothing and stops the torrent", "[session]")
{
	session_bench bench;
	REQUIRE(bench.add());
	bench.receive({true, true, false, false});
	REQUIRE(bench.kept().pieces == std::vector<bool>{true, true, false, false});
	bench.disk->faults().always(device_call::flush, {fault::kind::fail, EIO});
	bench.receive({true, true, true, true});
	CHECK(bench.row().state == torrent_state::error);
	CHECK(bench.kept().is_doubtful);
	CHECK(bench.kept().pieces == std::vector<bool>(4));
	bench.disk->faults().switch_off();

	REQUIRE(bench.tell(resume_atom::value));
	bench.swarm->report(session_fact::kind::checked);
	bench.receive({true, false, true, false});
	CHECK_FALSE(bench.kept().is_doubtful);
	CHECK(bench.kept().pieces == std::vector<bool>{true, false, true, false});
}

TEST_CASE("a clean stop keeps what was received until then, unless its device failed at the end", "[session]")
{
	SECTION("all is well")
	{
		session_bench bench;
		REQUIRE(bench.add());
		bench.receive({false, true, false, false});
		REQUIRE(bench.stop());
		CHECK(bench.kept().pieces == std::vector<bool>{false, true, false, false});
		CHECK_FALSE(bench.kept().is_doubtful);
	}
	SECTION("the last writes failed")
	{
		session_bench bench;
		REQUIRE(bench.add());
		bench.receive({false, true, false, false});
		bench.swarm->at_close.push_back(failed_write());
		REQUIRE_FALSE(bench.stop());
		CHECK(bench.kept().pieces == std::vector<bool>(4));
		CHECK(bench.kept().is_doubtful);
	}
	SECTION("a checkpoint was under way")
	{
		session_bench bench;
		REQUIRE(bench.add());
		bench.router.hold();
		bench.receive({true, true, false, false});
		bench.swarm->pieces_now = {true, true, true, false};
		auto const answer = bench.world.ask<void_reply>(bench.actor, stop_atom::value);
		bench.is_stopped = true;
		bench.router.release(bench.ports);
		bench.world.run();
		REQUIRE(answer->value);
		CHECK(*answer->value);
		CHECK(bench.kept().pieces == std::vector<bool>{true, true, true, false});
	}
}

TEST_CASE("what cannot be kept is said once, until it can be again", "[session]")
{
	session_bench bench;
	bench.store->failure = make_io_error("write", "/state", 0, 0, ENOSPC);
	REQUIRE(bench.add());
	REQUIRE(bench.tell(pause_atom::value));
	bench.world.run();
	CHECK(bench.count(event_kind::warning) == 2); // no such device to identify, and this
	bench.store->failure.reset();
	REQUIRE(bench.tell(resume_atom::value));
	CHECK_FALSE(bench.kept().is_paused);
	bench.store->failure = make_io_error("write", "/state", 0, 0, ENOSPC);
	REQUIRE(bench.tell(pause_atom::value));
	bench.world.run();
	CHECK(bench.count(event_kind::warning) == 3);
}
