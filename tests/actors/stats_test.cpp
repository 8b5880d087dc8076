#include "actors/stats.hpp"
#include "tests/support/test_system.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

struct fixture {
	test_system actors;
	std::unique_ptr<block_arena> arena = std::move(*block_arena::create(256, 256));
	std::vector<std::shared_ptr<partition_stats>> partitions{
		std::make_shared<partition_stats>(), std::make_shared<partition_stats>()};
	partition_numbers numbers{{partitions[0], partitions[1]}, {}};
	std::vector<std::shared_ptr<hasher_stats const>> hashers;
	std::shared_ptr<backpressure_stats> backpressure = std::make_shared<backpressure_stats>();
	stats_actor stats = join_bus(actors.system(),
		actors.system().spawn(ezio::stats,
			stats_sources{
				arena.get(), [this] { return numbers; }, [this] { return hashers; }, backpressure}));

	~fixture()
	{
		caf::anon_send(stats, stop_atom::value);
		actors.run();
	}
	stats_report report()
	{
		auto const answer = actors.ask<stats_report>(stats, stats_atom::value);
		REQUIRE(answer->value);
		return *answer->value;
	}
};

} // namespace

TEST_CASE_METHOD(fixture, "a snapshot has the counters of every partition as they are now")
{
	partitions[1]->write_ops = 3;
	partitions[1]->blocks_written = 192;
	partitions[1]->write_latency.record(std::chrono::milliseconds(2));
	auto const r = report();
	REQUIRE(r.partitions.size() == 2);
	CHECK(r.partitions[0].write_ops == 0);
	CHECK(r.partitions[1].index == 1);
	CHECK(r.partitions[1].write_ops == 3);
	CHECK(r.partitions[1].blocks_written == 192);
	CHECK(r.partitions[1].write_latency.count == 1);
}

TEST_CASE_METHOD(fixture, "a snapshot says of every hasher how many pieces it hashes side by side")
{
	auto const busy = std::make_shared<hasher_stats>();
	busy->hashed_bytes = 4096;
	busy->pieces = 9;
	busy->steps_by_pieces[0] = 3;
	busy->steps_by_pieces[15] = 1;
	hashers = {std::make_shared<hasher_stats>(), busy};
	auto const r = report();
	CHECK(r.hashers == 2);
	REQUIRE(r.hasher_rows.size() == 2);
	CHECK(r.hasher_rows[0].lanes_filled() == 0);
	CHECK(r.hasher_rows[1].index == 1);
	CHECK(r.hasher_rows[1].hashed_bytes == 4096);
	CHECK(r.hasher_rows[1].pieces == 9);
	CHECK(r.hasher_rows[1].lanes_filled() == (3.0 * 1 + 16) / 4);
}

TEST_CASE_METHOD(fixture, "what a partition did counts on when it is no more")
{
	partitions[0]->write_ops = 1;
	partitions[1]->write_ops = 3;
	partitions[1]->errors = 2;
	numbers = {{partitions[0]}, {partitions[1]}};
	auto const r = report();
	REQUIRE(r.partitions.size() == 1);
	CHECK(r.partitions[0].write_ops == 1);
	CHECK(r.ended.write_ops == 3);
	CHECK(r.ended.errors == 2);
}

TEST_CASE_METHOD(fixture, "the budget shows what is used of it")
{
	auto const block = arena->allocate(block_purpose::receive);
	backpressure->dirty_blocks = 7;
	backpressure->refused = 3;
	auto const r = report();
	CHECK(r.budget_blocks == 256);
	CHECK(r.used_blocks == 1);
	CHECK(r.dirty_blocks == 7);
	CHECK(r.blocks_refused == 3);
}

TEST_CASE_METHOD(fixture, "back-pressure that still lasts counts up to now")
{
	backpressure->count = 2;
	backpressure->total_ns = 5'000'000;
	CHECK(report().backpressure_ms == 5);
	auto const a_minute_ago = monotonic_clock::now() - std::chrono::minutes(1);
	backpressure->full_since_ns =
		std::chrono::duration_cast<std::chrono::nanoseconds>(a_minute_ago.time_since_epoch()).count();
	auto const r = report();
	CHECK(r.backpressure_count == 2);
	CHECK(r.backpressure_ms >= 60'005);
}

TEST_CASE_METHOD(fixture, "events of the bus are counted by kind")
{
	publish(actors.system(), make_event(event_kind::disk_error));
	publish(actors.system(), make_event(event_kind::disk_error));
	publish(actors.system(), make_event(event_kind::warning));
	actors.run();
	auto const r = report();
	CHECK(r.events_published == 3);
	std::uint64_t disk_errors = 0;
	for (auto const &[kind, count] : r.event_counts)
		if (kind == "disk-error")
			disk_errors = count;
	CHECK(disk_errors == 2);
}
