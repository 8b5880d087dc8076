#include "actors/hasher.hpp"

#include "tests/support/test_system.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <thread>

using namespace ezio;

namespace
{

constexpr std::chrono::seconds patience{60};

struct piece_job : disk_job {
	int number = 0;
};

/// Keeps finished jobs; lets a test wait for a number of them.
class waiting_sink : public job_sink
{
public:
	void finished(job_ptr job) override
	{
		std::lock_guard const lock(m_mutex);
		m_jobs.push_back(std::move(job));
		m_changed.notify_all();
	}
	bool wait_for(std::size_t count)
	{
		std::unique_lock lock(m_mutex);
		return m_changed.wait_for(lock, patience, [&] { return m_jobs.size() >= count; });
	}
	std::vector<job_ptr> const &jobs() const { return m_jobs; } ///< when nothing can come any more

private:
	std::mutex m_mutex;
	std::condition_variable m_changed;
	std::vector<job_ptr> m_jobs;
};

/// Pieces whose bytes follow from their numbers.
struct pieces {
	std::unique_ptr<block_arena> arena = std::move(*block_arena::create(4096, 4096));
	waiting_sink sink;

	static std::vector<std::byte> content(int piece, std::uint32_t blocks)
	{
		std::minstd_rand random(static_cast<unsigned>(piece) + 1);
		std::vector<std::byte> bytes(std::size_t{blocks} * block_bytes);
		for (std::size_t at = 0; at < bytes.size(); at += 64)
			bytes[at] = static_cast<std::byte>(random() >> 7);
		return bytes;
	}
	/// Blocks [first, end) of a piece of @p blocks; the last task if they reach its end.
	hash_task task(std::shared_ptr<hash_stream> stream, int piece, std::uint32_t blocks, std::uint32_t first,
		std::uint32_t end)
	{
		auto const bytes = content(piece, blocks);
		hash_task made;
		made.stream = std::move(stream);
		for (auto index = first; index < end; ++index) {
			auto block = arena->allocate(block_purpose::receive);
			while (!block) { // the hashers give some back
				std::this_thread::yield();
				block = arena->allocate(block_purpose::receive);
			}
			std::memcpy(block.data(), bytes.data() + std::size_t{index} * block_bytes, block_bytes);
			made.parts.push_back({std::move(block), block_bytes, block_bytes});
		}
		if (end == blocks) {
			auto job = std::make_unique<piece_job>();
			job->number = piece;
			job->sink = &sink;
			made.job = std::move(job);
		}
		return made;
	}
	/// Every one of @p count pieces has come once, with its digest.
	void check(int count, std::uint32_t blocks)
	{
		REQUIRE(sink.jobs().size() == static_cast<std::size_t>(count));
		std::map<int, int> answers;
		for (auto const &job : sink.jobs()) {
			auto const number = static_cast<piece_job const &>(*job).number;
			INFO("piece " << number);
			++answers[number];
			auto const bytes = content(number, blocks);
			REQUIRE(job->sha1 == sha1_of(bytes));
			REQUIRE(job->block_sha256.size() == blocks);
			REQUIRE(job->block_sha256.back() == sha256_of(std::span(bytes).last(std::size_t{block_bytes})));
		}
		CHECK(answers.size() == static_cast<std::size_t>(count));
		CHECK(arena->used_blocks() == 0);
	}
};

/// One hasher whose messages the test delivers.
struct by_hand : pieces {
	test_system actors;
	std::shared_ptr<hasher_stats> stats = std::make_shared<hasher_stats>();
	hasher_actor hasher;

	monotonic_time now{std::chrono::hours(1)};

	explicit by_hand(std::shared_ptr<hash_plan const> plan = default_hash_plan(), collect_limits limits = {})
		: hasher(actors.system().spawn(
			  ezio::hasher, hasher_config{std::move(plan), stats, limits, [this] { return now; }}))
	{
	}
	void pass(std::chrono::milliseconds time)
	{
		now += time;
		actors.pass(time);
	}
	~by_hand()
	{
		caf::anon_send(hasher, stop_atom::value);
		actors.run();
	}
	void send(hash_task task)
	{
		auto work = std::make_shared<hash_work_data>();
		work->task = std::move(task);
		caf::anon_send(hasher, std::move(work));
	}
	void send_piece(int number, std::uint32_t blocks)
	{
		send(task(std::make_shared<hash_stream>(true, true), number, blocks, 0, blocks));
	}
};

std::shared_ptr<hash_plan const> widest_plan()
{
	std::vector<hash_plan::rate> rates;
	for (auto const *const kernel : available_sha_kernels()) {
		auto const lanes = static_cast<double>(kernel->lanes);
		rates.push_back({kernel, lanes, lanes});
	}
	return std::make_shared<hash_plan const>(std::move(rates));
}

/// The pool with real threads.
struct pooled : pieces {
	caf::actor_system_config config;
	caf::actor_system system{config};
	hasher_pool pool{system};

	void submit_piece(int number, std::uint32_t blocks, std::uint32_t blocks_a_task)
	{
		auto const stream = pool.open_stream(true, true);
		for (std::uint32_t first = 0; first < blocks; first += blocks_a_task)
			pool.submit(task(stream, number, blocks, first, std::min(blocks, first + blocks_a_task)));
	}
};

} // namespace

TEST_CASE("one piece alone is hashed at once, without waiting for company")
{
	by_hand fixture;
	fixture.send_piece(1, 4);
	fixture.actors.run(); // the clock stands still
	fixture.check(1, 4);
}

TEST_CASE("pieces that came together are hashed side by side")
{
	auto const plan = widest_plan();
	auto const lanes = plan->choose(sha_kind::sha1, sha_lanes_max).lanes;
	by_hand fixture(plan);
	for (int i = 0; i < static_cast<int>(lanes); ++i)
		fixture.send_piece(i, 16);
	fixture.actors.run();
	fixture.check(static_cast<int>(lanes), 16);
	CHECK(fixture.stats->steps_by_pieces[lanes - 1] > 0);
	for (std::size_t fewer = 1; fewer < lanes; ++fewer)
		CHECK(fixture.stats->steps_by_pieces[fewer - 1] == 0);
	CHECK(fixture.stats->pieces == lanes);
	CHECK(fixture.stats->hashed_bytes == lanes * 16 * block_bytes);
}

TEST_CASE("a piece that arrives while another is under way joins it")
{
	auto const plan = widest_plan();
	if (plan->choose(sha_kind::sha1, 2).lanes == 1) {
		WARN("skipped: this processor hashes one piece at a time");
		return;
	}
	by_hand fixture(plan);
	fixture.send_piece(1, 64);
	auto &scheduler = fixture.actors.scheduler();
	while (fixture.stats->steps_by_pieces[0] == 0)
		REQUIRE(scheduler.try_run_once());
	fixture.send_piece(2, 64);
	fixture.actors.run();
	fixture.check(2, 64);
	CHECK(fixture.stats->steps_by_pieces[1] > 0);
}

TEST_CASE("pieces that come fast are collected until lanes are full or their time is over")
{
	auto const plan = widest_plan();
	auto const lanes = static_cast<int>(plan->choose(sha_kind::sha1, sha_lanes_max).lanes);
	if (plan->worthwhile_pieces() == 0) {
		WARN("skipped: this processor gains nothing from hashing pieces side by side");
		return;
	}
	by_hand fixture(plan, {std::chrono::milliseconds(20), 1024 * block_bytes});
	int sent = 0;
	auto const send = [&] {
		fixture.send_piece(sent++, 4);
		fixture.actors.run();
		fixture.pass(std::chrono::milliseconds(1));
	};
	// Nothing is known of the flow yet.
	while (fixture.stats->pieces == static_cast<std::uint64_t>(sent))
		send();
	auto const at_once = static_cast<int>(fixture.stats->pieces);
	CHECK(at_once == static_cast<int>(plan->worthwhile_pieces()) - 1);
	while (sent - at_once < lanes - 1)
		send();
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(at_once));
	send();
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(sent));
	CHECK(fixture.stats->steps_by_pieces[static_cast<std::size_t>(lanes) - 1] > 0);

	send();
	send();
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(sent - 2));
	fixture.pass(std::chrono::milliseconds(17));
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(sent - 2));
	fixture.pass(std::chrono::milliseconds(1));
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(sent));

	send();
	fixture.send_piece(sent++, 4);
	fixture.actors.run();
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(sent - 2));
	caf::anon_send(fixture.hasher, limits_atom::value, collect_limits{});
	fixture.actors.run();
	CHECK(fixture.stats->pieces == static_cast<std::uint64_t>(sent));
	fixture.check(sent, 4);
}

TEST_CASE("pieces that are being collected are hashed before the hasher ends")
{
	by_hand fixture(widest_plan(), {std::chrono::milliseconds(1000), 1024 * block_bytes});
	for (int i = 0; i < 30; ++i) {
		fixture.send_piece(i, 3);
		fixture.actors.run();
	}
	caf::anon_send(fixture.hasher, stop_atom::value);
	fixture.actors.run();
	fixture.check(30, 3);
}

TEST_CASE("what was sent before the stop is hashed before the hasher ends")
{
	by_hand fixture;
	for (int i = 0; i < 30; ++i)
		fixture.send_piece(i, 3);
	caf::anon_send(fixture.hasher, stop_atom::value);
	fixture.actors.run();
	fixture.check(30, 3);
}

TEST_CASE("a pool under load from several threads, resized meanwhile, answers every piece once")
{
	constexpr int threads = 3;
	constexpr int pieces_a_thread = 60;
	constexpr std::uint32_t blocks = 20;
	pooled fixture;
	fixture.pool.resize(2);
	std::vector<std::jthread> senders;
	for (int t = 0; t < threads; ++t)
		senders.emplace_back([&fixture, t] {
			for (int i = 0; i < pieces_a_thread; ++i)
				fixture.submit_piece(t * pieces_a_thread + i, blocks, 7);
		});
	constexpr std::size_t total = threads * pieces_a_thread;
	std::uint32_t size = 0;
	for (std::size_t seen = total / 10; seen < total; seen += total / 10) {
		REQUIRE(fixture.sink.wait_for(seen));
		fixture.pool.resize(size++ % 4); // 0 too: the senders hash
	}
	senders.clear();
	REQUIRE(fixture.sink.wait_for(total));
	fixture.pool.resize(0);
	fixture.system.await_all_actors_done();
	fixture.check(total, blocks);
}

TEST_CASE("a hasher is filled before the next one gets streams, and all share when all are full")
{
	pooled fixture;
	fixture.pool.resize(2);
	auto const lanes = default_hash_plan()->choose(sha_kind::sha1, sha_lanes_max).lanes;
	std::vector<std::shared_ptr<hash_stream>> streams;
	for (std::size_t i = 0; i < 4 * lanes; ++i)
		streams.push_back(fixture.pool.open_stream(true, true));
	for (std::size_t i = 0; i < streams.size(); ++i)
		fixture.pool.submit(fixture.task(streams[i], static_cast<int>(i), 1, 0, 1));
	auto const hashers = fixture.pool.stats();
	streams.clear();
	fixture.pool.resize(0);
	fixture.system.await_all_actors_done();
	REQUIRE(hashers.size() == 2);
	CHECK(hashers[0]->pieces == 2 * lanes);
	CHECK(hashers[1]->pieces == 2 * lanes);
	fixture.check(static_cast<int>(4 * lanes), 1);

	fixture.pool.resize(2);
	for (std::size_t i = 0; i < lanes; ++i)
		streams.push_back(fixture.pool.open_stream(true, true));
	for (auto const &stream : streams)
		fixture.pool.submit(fixture.task(stream, 0, 2, 0, 1));
	auto const fresh = fixture.pool.stats();
	streams.clear();
	fixture.pool.resize(0);
	fixture.system.await_all_actors_done();
	CHECK(fresh[0]->tasks == lanes);
	CHECK(fresh[1]->tasks == 0);
}

TEST_CASE("a pool without hashers hashes in the caller")
{
	pooled fixture;
	fixture.submit_piece(1, 5, 2);
	CHECK(fixture.sink.jobs().size() == 1);
	fixture.check(1, 5);
	CHECK(fixture.pool.stats().empty());
}

TEST_CASE("a stream keeps its hasher when the pool shrinks before its end")
{
	pooled fixture;
	fixture.pool.resize(1);
	auto const stream = fixture.pool.open_stream(true, true);
	fixture.pool.submit(fixture.task(stream, 1, 4, 0, 2));
	auto const hashers = fixture.pool.stats();
	fixture.pool.resize(0);
	fixture.pool.submit(fixture.task(stream, 1, 4, 2, 4));
	REQUIRE(fixture.sink.wait_for(1));
	CHECK(hashers[0]->tasks == 2);
	fixture.check(1, 4);
}
