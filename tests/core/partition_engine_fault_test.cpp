#include "tests/core/engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr std::uint32_t piece_bytes = 64 * 1024;
constexpr std::uint32_t piece_blocks = piece_bytes / block_bytes;

/// What one torrent goes through: added, written, hashed, synced, read, verified, stopped.
struct script {
	engine_fixture f;
	std::shared_ptr<storage> s;
	std::vector<std::size_t> writes;
	std::vector<std::size_t> reads;
	std::vector<std::size_t> hashes;
	std::vector<std::size_t> syncs;
	bool is_stop_clean = false;

	static engine_limits limits()
	{
		engine_limits l;
		l.coalesce_bytes = 2 * block_bytes;
		l.cache_blocks_max = 6;
		return l;
	}

	explicit script(std::size_t queue_depth = 1) : f(limits(), 64)
	{
		f.disk->set_queue_depth(queue_depth);
		s = f.add_storage({{"1000", 100'000, false}, {"80000", 92'000, false}}, piece_bytes);
	}

	void run()
	{
		f.control(job_kind::open, s);
		for (int piece = 0; piece < s->pieces().piece_count(); ++piece) {
			for (std::uint32_t i = 0; i < s->pieces().blocks_in_piece(piece_index{piece}); ++i)
				writes.push_back(
					f.write(s, piece, i, static_cast<std::byte>(piece * 16 + 1 + static_cast<int>(i))));
			hashes.push_back(f.hash(s, piece));
			f.engine.end_of_batch();
		}
		writes.push_back(f.write(s, 0, 1, std::byte{0x77}));
		writes.push_back(f.write(s, 0, 1, std::byte{0x78}));
		syncs.push_back(f.control(job_kind::sync, s));
		for (int piece = 0; piece < s->pieces().piece_count(); ++piece)
			reads.push_back(f.read(s, piece, 100, block_bytes));
		f.control(job_kind::clear_piece, s, 1);
		hashes.push_back(f.hash(s, 1, true));
		writes.push_back(f.write(s, 1, 0, std::byte{0x79}));
		syncs.push_back(f.control(job_kind::sync, s));
		f.control(job_kind::release, s);
		reads.push_back(f.read(s, 0, 0, 1));
		f.engine.end_of_batch();
		is_stop_clean = f.engine.stop().has_value();
	}

	bool has_failed(std::size_t number) const { return f.sink.answer(number)->failure.has_value(); }

	/// Holds whatever went wrong.
	void check_invariants()
	{
		REQUIRE(f.sink.answered() == f.sink.made());
		CHECK(f.sink.faults() == "");
		CHECK(f.stats.queue_depth == 0);
		CHECK(f.stats.blocks_dirty == 0);
		CHECK(f.stats.blocks_clean == 0);
		CHECK(f.disk->open_handles() == 0);

		unsigned firsts = 0;
		for (std::size_t i = 0; i < f.sink.made(); ++i) {
			auto const &job = *f.sink.answer(i);
			firsts += job.is_first_failure ? 1 : 0;
			if (job.failure && job.failure->code != errc::aborted)
				CHECK(job.failure->message == fault_mark);
		}
		CHECK(firsts <= 1);
		CHECK(s->has_failed() == (firsts == 1));
		for (auto const sync : syncs) {
			for (auto const write : writes) {
				if (write < sync && has_failed(write))
					CHECK(has_failed(sync));
			}
		}
		f.sink.drop_all();
		CHECK(f.arena->used_blocks() == 0);
	}
};

void sweep(fault f)
{
	// As blocking calls do it, and as a queue of transfers may.
	auto const depth = GENERATE(std::size_t{1}, std::size_t{8});
	CAPTURE(depth);
	std::uint64_t call = 0;
	for (;; ++call) {
		script run(depth);
		run.f.faults->at_call(call, f);
		run.run();
		INFO("fault at device call " << call);
		bool const is_played = run.f.faults->played() > 0;
		bool is_any_failure = !run.is_stop_clean;
		for (std::size_t i = 0; i < run.f.sink.made(); ++i)
			is_any_failure = is_any_failure || run.has_failed(i);
		run.check_invariants();
		if (!is_played) {
			CHECK_FALSE(is_any_failure);
			break;
		}
		REQUIRE(call < 1000);
	}
	CHECK(call > 15);
}

} // namespace

TEST_CASE("whichever device call fails, every job is answered once and nothing is kept")
{
	sweep({fault::kind::fail, EIO, 0});
}

TEST_CASE("whichever device call ends short, every job is answered once and nothing is kept")
{
	sweep({fault::kind::end, 0, 1000});
}

TEST_CASE("whichever write is torn, every job is answered once and nothing is kept")
{
	sweep({fault::kind::torn, ENOSPC, 5000});
}

TEST_CASE("each failing write makes the storage fail, and a sync after it")
{
	for (std::uint64_t call = 0;; ++call) {
		script run;
		run.f.faults->at_call_of(device_call::write, call, {});
		run.run();
		INFO("fault at write " << call);
		if (run.f.faults->played() == 0) {
			CHECK(call > 5);
			break;
		}
		CHECK(run.s->has_failed());
		CHECK(run.has_failed(run.syncs.back()));
		CHECK(run.f.calls(device_call::write) == call + 1);
		run.check_invariants();
	}
}

TEST_CASE("a device that is gone from the start fails every job and hangs none")
{
	script run;
	for (auto const kind : {device_call::open, device_call::read, device_call::write, device_call::flush})
		run.f.faults->always(kind, {fault::kind::fail, ENXIO, 0});
	run.run();
	for (auto const job : run.writes)
		CHECK(run.has_failed(job));
	for (auto const job : run.syncs)
		CHECK(run.has_failed(job));
	run.check_invariants();
}

TEST_CASE("when the faults are over, a cleared storage takes everything again")
{
	script run;
	run.f.faults->at_random(3, {});
	for (int round = 0; round < 20; ++round) {
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			run.f.write(run.s, 0, i, std::byte{1});
		run.f.control(job_kind::sync, run.s);
		run.s->clear_failure();
	}
	CHECK(run.f.faults->played() > 5);
	run.f.faults->switch_off();
	std::vector<std::size_t> again;
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		again.push_back(run.f.write(run.s, 0, i, std::byte{2}));
	auto const sync = run.f.control(job_kind::sync, run.s);
	for (auto const job : again)
		run.f.done(job);
	run.f.done(sync);
	run.f.disk->cut_power();
	CHECK(run.f.disk->bytes(0x1000, piece_bytes) == repeated(std::byte{2}, piece_bytes));
	CHECK(run.f.engine.stop().has_value());
	CHECK(run.f.sink.faults() == "");
}

TEST_CASE("unsynced writes may be lost in a power cut and synced ones may not")
{
	for (std::uint64_t seed = 0; seed < 10; ++seed) {
		engine_fixture f({}, 256, nullptr, 1024 * 1024, seed);
		auto const s = f.add_storage({{"0", 512 * 1024, false}}, piece_bytes);
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			f.write(s, 0, i, std::byte{1});
		f.done(f.control(job_kind::sync, s));
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			f.write(s, 2, i, std::byte{2});
		f.engine.flush_all();
		CHECK(f.disk->bytes(2 * piece_bytes, piece_bytes) == repeated(std::byte{2}, piece_bytes));
		f.disk->cut_power();
		CHECK(f.disk->bytes(0, piece_bytes) == repeated(std::byte{1}, piece_bytes));
	}
}
