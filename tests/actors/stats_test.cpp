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
	std::shared_ptr<partition_stats> ended = std::make_shared<partition_stats>();
	std::vector<std::shared_ptr<backpressure_stats>> backpressure{
		std::make_shared<backpressure_stats>(), std::make_shared<backpressure_stats>()};
	std::shared_ptr<backpressure_stats> ended_devices = std::make_shared<backpressure_stats>();
	pool_numbers numbers{{{0, 11, 21, partitions[0]}, {1, 12, 22, partitions[1]}},
		{{21, "/dev/loop0", disk_kind::unknown, 1, backpressure[0]},
			{22, "/dev/sda", disk_kind::rotational, 1, backpressure[1]}},
		ended, ended_devices};
	std::vector<std::shared_ptr<hasher_stats const>> hashers;
	stats_actor stats = join_bus(actors.system(),
		actors.system().spawn(
			ezio::stats, stats_sources{arena.get(), [this] { return numbers; }, [this] { return hashers; }}));

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
	numbers.partitions.pop_back();
	ended->write_ops = 3;
	ended->errors = 2;
	auto const r = report();
	REQUIRE(r.partitions.size() == 1);
	CHECK(r.partitions[0].write_ops == 1);
	CHECK(r.ended.write_ops == 3);
	CHECK(r.ended.errors == 2);
}

TEST_CASE_METHOD(fixture, "each device shows what it has to write, where peers wait, and its partitions")
{
	backpressure[1]->dirty_bytes = 3;
	backpressure[1]->mark_bytes = 9;
	backpressure[1]->drain_bytes_per_second = 8;
	auto const r = report();
	REQUIRE(r.devices.size() == 2);
	CHECK(r.devices[0].dirty_bytes == 0);
	CHECK(r.devices[1].device == "/dev/sda");
	CHECK(r.devices[1].kind == disk_kind::rotational);
	CHECK(r.devices[1].dirty_bytes == 3);
	CHECK(r.devices[1].mark_bytes == 9);
	CHECK(r.devices[1].drain_bytes_per_second == 8);
	CHECK(r.partitions[0].device == "/dev/loop0");
	CHECK(r.partitions[1].device == "/dev/sda");
}

TEST_CASE_METHOD(fixture, "a device shows what its partitions did together")
{
	auto const third = std::make_shared<partition_stats>();
	numbers.partitions.push_back({2, 13, 22, third});
	partitions[0]->cache_hits = 100;
	partitions[1]->cache_hits = 3;
	third->cache_hits = 4;
	partitions[1]->queue_depth = 1;
	third->queue_depth = 2;
	for (int i = 0; i < 9; ++i)
		partitions[1]->write_latency.record(std::chrono::microseconds(100));
	third->write_latency.record(std::chrono::milliseconds(50));
	auto const r = report();
	REQUIRE(r.devices.size() == 2);
	CHECK(r.devices[0].counters.cache_hits == 100);
	auto const &both = r.devices[1].counters;
	CHECK(both.cache_hits == 7);
	CHECK(both.queue_depth == 3);
	CHECK(both.write_latency.count == 10);
	CHECK(both.write_latency.p50_us == 128);
	CHECK(both.write_latency.p99_us == 50'000);
	CHECK(both.write_latency.max_us == 50'000);
}

TEST_CASE_METHOD(fixture, "a partition is as busy as its thread, and a call that hangs counts")
{
	auto const now = monotonic_clock::now();
	partitions[1]->device_calls.begin(now - std::chrono::minutes(1));
	auto const r = report();
	CHECK(r.load.device == Approx(1));
	CHECK(r.load.busiest == "/dev/sda");
	CHECK(r.load.hashing == 0);
}

TEST_CASE_METHOD(fixture, "a partition that hashes by itself shows as hashing")
{
	partitions[0]->hashing.begin(monotonic_clock::now() - std::chrono::minutes(1));
	auto const r = report();
	CHECK(r.load.hashing == Approx(1));
	CHECK(r.load.device == 0);
}

TEST_CASE_METHOD(fixture, "the budget shows what is used of it")
{
	auto const block = arena->allocate(block_purpose::receive);
	backpressure[0]->dirty_bytes = 7;
	backpressure[1]->dirty_bytes = 5;
	backpressure[0]->refused = 1;
	ended_devices->refused = 2;
	auto const r = report();
	CHECK(r.budget_blocks == 256);
	CHECK(r.used_blocks == 1);
	CHECK(r.dirty_bytes == 12);
	CHECK(r.blocks_refused == 3);
}

TEST_CASE_METHOD(fixture, "back-pressure that still lasts counts up to now")
{
	backpressure[0]->count = 2;
	backpressure[0]->waited.add(5'000'000);
	backpressure[1]->count = 1;
	ended_devices->count = 4;
	ended_devices->waited.add(1'000'000);
	CHECK(report().backpressure_ms == 6);
	backpressure[0]->waited.begin(monotonic_clock::now() - std::chrono::minutes(1));
	auto const r = report();
	CHECK(r.backpressure_count == 7);
	CHECK(r.backpressure_ms >= 60'006);
	CHECK(r.devices[0].backpressure_ms >= 60'005);
	CHECK(r.devices[1].backpressure_ms == 0);
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
