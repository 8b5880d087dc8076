#include "actors/core/multi_digest.hpp"

#include "actors/core/partition_stats.hpp"
#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

using namespace ezio;

namespace
{

using bytes = std::vector<std::byte>;

/// A job that knows its piece.
struct piece_job : disk_job {
	int number = 0;
};

struct keeping_sink : job_sink {
	std::vector<job_ptr> jobs;
	std::function<void(disk_job &)> on_finished;
	void finished(job_ptr job) override
	{
		if (on_finished)
			on_finished(*job);
		jobs.push_back(std::move(job));
	}
};

/// What is made to be hashed, and what must come of it.
struct fixture {
	std::unique_ptr<block_arena> arena = std::move(*block_arena::create(4096, 4096));
	partition_stats partition;
	hasher_stats counters;
	keeping_sink sink;
	std::map<int, bytes> contents; ///< SHA-1's bytes by piece
	std::map<int, std::vector<sha256_digest>> blocks;

	hash_task::part part(int piece, std::uint32_t length, std::uint32_t sha256_length, unsigned seed)
	{
		auto block = arena->allocate(block_purpose::receive);
		REQUIRE(block);
		std::minstd_rand random(seed + 1);
		std::generate_n(block.data(), length, [&] { return static_cast<std::byte>(random() >> 7); });
		std::span<std::byte const> const filled(block.data(), length);
		contents[piece].insert(contents[piece].end(), filled.begin(), filled.end());
		if (sha256_length > 0)
			blocks[piece].push_back(sha256_of(filled.first(sha256_length)));
		return {std::move(block), length, sha256_length};
	}
	job_ptr job(int piece)
	{
		auto made = std::make_unique<piece_job>();
		made->number = piece;
		made->sink = &sink;
		made->submitted = monotonic_clock::now();
		++partition.queue_depth;
		return made;
	}
	hash_task task(std::shared_ptr<hash_stream> stream, std::vector<hash_task::part> parts, job_ptr last = {})
	{
		return {std::move(stream), std::move(parts), std::move(last), &partition};
	}
	/// A task that is a whole piece of @p count blocks.
	hash_task piece(int number, std::uint32_t count, bool want_sha1 = true, bool want_blocks = false)
	{
		std::vector<hash_task::part> parts;
		for (std::uint32_t i = 0; i < count; ++i)
			parts.push_back(part(
				number, block_bytes, want_blocks ? block_bytes : 0, static_cast<unsigned>(number) * 100 + i));
		return task(std::make_shared<hash_stream>(want_sha1, want_blocks), std::move(parts), job(number));
	}
	void check_digests(bool want_sha1, bool want_blocks)
	{
		for (auto const &job : sink.jobs) {
			auto const number = static_cast<piece_job const &>(*job).number;
			INFO("piece " << number);
			CHECK_FALSE(job->failure);
			CHECK((job->sha1 == sha1_of(contents[number])) == want_sha1);
			CHECK(job->block_sha256 == (want_blocks ? blocks[number] : std::vector<sha256_digest>{}));
		}
	}
};

void idle(std::uint32_t *, std::byte const *const *, std::size_t) {}
constexpr sha_kernel idle_lanes{"idle", "idle", 16, idle, idle};

} // namespace

TEST_CASE_METHOD(fixture, "pieces hashed side by side get their own digests, each job once")
{
	for (auto const *const kernel : available_sha_kernels()) {
		INFO("kernel " << kernel->name);
		hash_plan const plan({{kernel, 1, 1}});
		sink.jobs.clear();
		contents.clear();
		blocks.clear();
		multi_digest digest(plan);
		for (int i = 0; i < 21; ++i)
			digest.add(piece(i, 1 + static_cast<std::uint32_t>(i) % 5, true, true));
		digest.run();
		CHECK(digest.is_idle());
		REQUIRE(sink.jobs.size() == 21);
		check_digests(true, true);
		CHECK(arena->used_blocks() == 0);
		CHECK(partition.queue_depth == 0);
	}
}

TEST_CASE_METHOD(fixture, "a piece of v2 alone has block digests and no SHA-1")
{
	multi_digest digest(*default_hash_plan());
	digest.add(piece(1, 40, false, true));
	digest.run();
	REQUIRE(sink.jobs.size() == 1);
	check_digests(false, true);
	CHECK(sink.jobs[0]->sha1 == sha1_digest{});
}

TEST_CASE_METHOD(fixture, "tasks of one stream run in order, with others between them")
{
	multi_digest digest(*default_hash_plan());
	auto const stream = std::make_shared<hash_stream>(true, true);
	digest.add(task(stream, [&] {
		std::vector<hash_task::part> parts;
		parts.push_back(part(1, block_bytes, block_bytes, 1));
		return parts;
	}()));
	digest.add(piece(2, 3, true, true));
	digest.run();
	CHECK(sink.jobs.size() == 1);
	std::vector<hash_task::part> parts;
	parts.push_back(part(1, block_bytes, block_bytes, 2));
	parts.push_back(part(1, 100, 0, 3)); // padding only
	digest.add(task(stream, std::move(parts)));
	digest.add(task(stream, {}, job(1)));
	digest.run();
	REQUIRE(sink.jobs.size() == 2);
	check_digests(true, true);
}

TEST_CASE_METHOD(fixture, "a stream without an end is dropped with its blocks")
{
	multi_digest digest(*default_hash_plan());
	std::weak_ptr<hash_stream> watched;
	{
		auto abandoned = piece(1, 20);
		watched = abandoned.stream;
		abandoned.job.reset();
		digest.add(std::move(abandoned));
	}
	digest.run();
	CHECK(sink.jobs.empty());
	CHECK(watched.expired());
	CHECK(arena->used_blocks() == 0);
}

TEST_CASE_METHOD(fixture, "a job is finished after its piece is no longer in use")
{
	multi_digest digest(*default_hash_plan());
	auto whole = piece(1, 20);
	std::weak_ptr<hash_stream> const watched = whole.stream;
	bool was_in_use = true;
	sink.on_finished = [&](disk_job &) { was_in_use = !watched.expired() || arena->used_blocks() > 0; };
	digest.add(std::move(whole));
	digest.run();
	REQUIRE(sink.jobs.size() == 1);
	CHECK_FALSE(was_in_use);
}

TEST_CASE_METHOD(
	fixture, "a step takes one block of each piece when lanes are full, more when pieces are few")
{
	hash_plan const plan({{&idle_lanes, 1, 1}});
	multi_digest digest(plan, &counters);
	for (int i = 0; i < 16; ++i)
		digest.add(piece(i, 4));
	digest.step();
	CHECK(arena->used_blocks() == 16 * 3);
	for (int i = 0; i < 3; ++i)
		digest.step();
	CHECK(digest.is_idle());
	CHECK(counters.steps_by_pieces[15] == 4);

	digest.add(piece(20, 20));
	digest.add(piece(21, 20));
	digest.step();
	CHECK(arena->used_blocks() == 2 * (20 - 8));
	digest.run();
	CHECK(counters.steps_by_pieces[1] == 3);
	CHECK(counters.pieces == 18);
	CHECK(counters.tasks == 18);
	CHECK(counters.hashed_bytes == (16 * 4 + 2 * 20) * std::uint64_t{block_bytes});
	CHECK(partition.hashed_bytes == counters.hashed_bytes);
}

TEST_CASE_METHOD(
	fixture, "pieces that come during a round wait for the next, unless they are as many as it has left")
{
	hash_plan const plan({{&idle_lanes, 1, 1}});
	multi_digest digest(plan, &counters);
	for (int i = 0; i < 4; ++i)
		digest.add(piece(i, 8));
	digest.step();
	for (int i = 4; i < 7; ++i)
		digest.add(piece(i, 8));
	digest.step();
	CHECK(counters.steps_by_pieces[3] == 2);
	CHECK(sink.jobs.size() == 4);
	digest.step();
	CHECK(counters.steps_by_pieces[2] == 1);
	for (int i = 7; i < 10; ++i)
		digest.add(piece(i, 8));
	digest.step();
	CHECK(counters.steps_by_pieces[5] == 1);
	digest.run();
	CHECK(sink.jobs.size() == 10);
}

TEST_CASE_METHOD(fixture,
	"what is under way, its continuation and block digests do not wait; new pieces that come fast do")
{
	using namespace std::chrono_literals;
	static constexpr sha_kernel single{"single", "single", 1, idle, idle};
	hash_plan const plan({{&single, 2, 2}, {&idle_lanes, 16, 16}});
	multi_digest digest(plan, &counters, {20ms, 1024 * block_bytes});
	monotonic_time now{1h};
	CHECK_FALSE(digest.next_step(now));
	for (int i = 0; i < 10; ++i)
		digest.add(piece(i, 1), now);
	CHECK(digest.next_step(now) == now + 20ms);
	CHECK(digest.next_step(now + 5ms) == now + 20ms);
	CHECK(digest.next_step(now + 21ms) == now + 21ms);
	digest.run();

	auto const stream = std::make_shared<hash_stream>(true, false);
	auto const next_task = [&] {
		std::vector<hash_task::part> parts;
		for (unsigned i = 0; i < 20; ++i)
			parts.push_back(part(20, block_bytes, 0, i));
		return task(stream, std::move(parts));
	};
	digest.add(next_task(), now);
	CHECK(digest.next_step(now) == now + 20ms);
	digest.step();
	CHECK(digest.next_step(now) == now); // under way
	digest.run();
	digest.add(next_task(), now);
	CHECK(digest.next_step(now) == now);
	digest.run();

	digest.add(piece(21, 1, false, true), now);
	CHECK(digest.next_step(now) == now);
}

TEST_CASE_METHOD(fixture, "collecting ends when what waits holds too much memory")
{
	using namespace std::chrono_literals;
	static constexpr sha_kernel single{"single", "single", 1, idle, idle};
	hash_plan const plan({{&single, 2, 2}, {&idle_lanes, 16, 16}});
	multi_digest digest(plan, &counters, {20ms, 40 * block_bytes});
	monotonic_time now{1h};
	for (int i = 0; i < 13; ++i)
		digest.add(piece(i, 3), now);
	CHECK(digest.next_step(now) > now);
	digest.add(piece(13, 3), now);
	CHECK(digest.next_step(now) == now);
	digest.run();
	digest.add(piece(14, 3), now);
	CHECK(digest.next_step(now) > now);
}

TEST_CASE_METHOD(fixture, "with more pieces than lanes the oldest are finished first")
{
	hash_plan const plan({{&idle_lanes, 1, 1}});
	multi_digest digest(plan);
	for (int i = 0; i < 40; ++i)
		digest.add(piece(i, 2));
	digest.run();
	REQUIRE(sink.jobs.size() == 40);
	for (int i = 0; i < 40; ++i)
		CHECK(static_cast<piece_job &>(*sink.jobs[static_cast<std::size_t>(i)]).number == i);
}

TEST_CASE_METHOD(fixture, "random mixes of streams, tasks and steps give every digest once")
{
	auto const seed = test::test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	auto const below = [&](std::size_t limit) { return static_cast<std::uint32_t>(random() % limit); };
	multi_digest digest(*default_hash_plan(), &counters);
	struct open_piece {
		int number;
		std::shared_ptr<hash_stream> stream;
	};
	std::vector<open_piece> open;
	constexpr int pieces = 150;
	for (int next = 0; next < pieces || !open.empty();) {
		if (next < pieces && (open.empty() || below(3) == 0)) {
			open.push_back({next, std::make_shared<hash_stream>(true, true)});
			++next;
		}
		auto const chosen = below(open.size());
		auto const [number, stream] = open[chosen];
		std::vector<hash_task::part> parts;
		for (auto left = below(6); left > 0; --left) {
			auto const length = below(4) == 0 ? 1 + below(block_bytes) : block_bytes;
			parts.push_back(part(
				number, length, below(4) == 0 ? below(length + 1) : length, static_cast<unsigned>(random())));
		}
		bool const is_last = below(3) == 0;
		if (is_last)
			open.erase(open.begin() + chosen);
		digest.add(task(stream, std::move(parts), is_last ? job(number) : nullptr));
		for (auto steps = below(3); steps > 0; --steps)
			digest.step();
	}
	digest.run();
	REQUIRE(sink.jobs.size() == pieces);
	check_digests(true, true);
	CHECK(arena->used_blocks() == 0);
	CHECK(counters.pieces == pieces);
}
