#include "actors/core/partition_engine.hpp"

#include "tests/core/engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace ezio;
using namespace ezio::test;
using namespace std::chrono_literals;

namespace
{

constexpr std::uint32_t piece_bytes = 256 * 1024;
constexpr std::uint32_t piece_blocks = piece_bytes / block_bytes;
constexpr std::byte a{0xaa};
constexpr std::byte b{0xbb};

/// 1 MiB at offset 1 MiB of the disk, in pieces of 256 KiB.
std::shared_ptr<storage> plain(engine_fixture &f)
{
	return f.add_storage({{"100000", 1024 * 1024, false}}, piece_bytes);
}

} // namespace

TEST_CASE("a complete piece goes to the device in one write at the end of the batch")
{
	engine_fixture f;
	auto const s = plain(f);
	std::vector<std::size_t> jobs;
	for (std::uint32_t i = piece_blocks; i-- > 0;)
		jobs.push_back(f.write(s, 1, i, a));
	CHECK(f.calls(device_call::write) == 0);
	CHECK(f.is_open(jobs[0]));
	f.engine.end_of_batch();
	CHECK(f.calls(device_call::write) == 1);
	for (auto const job : jobs)
		f.done(job);
	CHECK(f.disk->bytes(0x100000 + piece_bytes, piece_bytes) == repeated(a, piece_bytes));
	CHECK(f.stats.blocks_written == piece_blocks);
	CHECK(f.stats.write_ops == 1);
	CHECK(f.stats.write_bytes == piece_bytes);
	CHECK(f.stats.blocks_dirty == 0);
	CHECK(f.stats.blocks_clean == piece_blocks);
	CHECK(f.stats.queue_depth == 0);
}

TEST_CASE("a run of the coalescing size is written at once, the rest after the delay")
{
	engine_limits limits;
	limits.coalesce_bytes = 4 * block_bytes;
	engine_fixture f(limits);
	auto const s = plain(f);
	auto const lone = f.write(s, 0, 10, b);
	f.clock.advance(1ms);
	for (std::uint32_t i = 0; i < 4; ++i)
		f.write(s, 0, i, a);
	f.engine.end_of_batch();
	CHECK(f.calls(device_call::write) == 1);
	CHECK(f.is_open(lone));
	REQUIRE(f.engine.next_deadline());
	CHECK(*f.engine.next_deadline() == f.clock.now() - 1ms + limits.coalesce_delay);
	f.clock.advance(limits.coalesce_delay - 2ms);
	f.engine.end_of_batch();
	CHECK(f.is_open(lone));
	f.clock.advance(1ms);
	f.engine.end_of_batch();
	f.done(lone);
	CHECK_FALSE(f.engine.next_deadline());
}

TEST_CASE("the time in calls of the device is that of the thread, however many transfers are under way")
{
	engine_fixture f;
	f.disk->set_queue_depth(8);
	f.disk->set_took(1h);
	auto const s = plain(f);
	auto const began = monotonic_clock::now();
	for (std::uint32_t i = 0; i < piece_blocks; i += 2)
		f.write(s, 1, i, a);
	CHECK(f.stats.device_calls.total_ns(monotonic_clock::now()) == 0);
	f.engine.flush_all();
	auto const passed = std::chrono::nanoseconds(monotonic_clock::now() - began).count();
	CHECK(f.stats.write_ops == piece_blocks / 2);
	CHECK(f.stats.write_latency.summarize().max_us == 3'600'000'000);
	CHECK_FALSE(f.stats.device_calls.is_busy());
	auto const busy = f.stats.device_calls.total_ns(monotonic_clock::now());
	CHECK(busy > 0);
	CHECK(busy <= static_cast<std::uint64_t>(passed));
}

TEST_CASE("without coalescing every block is written by itself, although its neighbours are there")
{
	engine_limits limits;
	limits.coalesce_bytes = 0;
	engine_fixture f(limits);
	auto const s = plain(f);
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		f.write(s, 1, i, a);
	f.engine.end_of_batch();
	CHECK(f.calls(device_call::write) == piece_blocks);
	CHECK(f.stats.write_ops == piece_blocks);
	CHECK(f.stats.blocks_written == piece_blocks);
	CHECK(f.disk->bytes(0x100000 + piece_bytes, piece_bytes) == repeated(a, piece_bytes));
}

TEST_CASE("the deadline moves to the oldest block that is still dirty")
{
	engine_limits limits;
	limits.coalesce_bytes = 2 * block_bytes;
	engine_fixture f(limits);
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.clock.advance(100ms);
	f.write(s, 0, 1, a);
	f.write(s, 0, 9, a);
	f.engine.end_of_batch();
	REQUIRE(f.engine.next_deadline());
	CHECK(*f.engine.next_deadline() == f.clock.now() + limits.coalesce_delay);
}

TEST_CASE("flush_all writes everything dirty in the order of the device")
{
	engine_fixture f;
	auto const high = f.add_storage({{"400000", piece_bytes, false}}, piece_bytes);
	auto const low =
		f.add_storage({{"100000", piece_bytes, false}, {"90000", piece_bytes, false}}, piece_bytes);
	f.write(high, 0, 0, a);
	f.write(low, 0, 5, a);
	f.write(low, 1, 0, a);
	f.write(low, 0, 1, a);
	f.engine.flush_all();
	CHECK(f.sink.answered() == 4);
	std::vector<std::uint64_t> offsets;
	for (auto const &op : f.disk->operations()) {
		if (op.offset_bytes < 0x400000)
			offsets.push_back(op.offset_bytes);
	}
	CHECK(offsets == std::vector<std::uint64_t>{0x90000, 0x100000 + block_bytes, 0x100000 + 5 * block_bytes});
}

TEST_CASE("pieces that touch on the device are merged into one write")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 1, 0, b);
	f.write(s, 0, piece_blocks - 1, a);
	f.engine.flush_all();
	CHECK(f.calls(device_call::write) == 1);
	CHECK(f.disk->operations().back().length_bytes == 2 * block_bytes);
	CHECK(f.disk->bytes(0x100000 + piece_bytes, block_bytes) == repeated(b, block_bytes));
}

TEST_CASE("blocks that straddle extents and padding land where they belong and read back")
{
	engine_limits limits;
	limits.cache_blocks_max = 0; // every read comes from the device
	engine_fixture f(limits);
	auto const s = f.add_storage(
		{{"1000", 5000, false}, {"pad", 3000, true}, {"200200", 20000, false}, {"0", 777, false}}, 16 * 1024);
	f.write(s, 0, 0, a);
	f.write(s, 1, 0, b);
	CHECK(f.disk->bytes(0x1000, 5000) == repeated(a, 5000));
	CHECK(f.disk->bytes(0x1000 + 5000, 16) == pristine(0x1000 + 5000, 16));
	CHECK(f.disk->bytes(0x200200, 8384) == repeated(a, 8384));
	CHECK(f.disk->bytes(0x200200 + 8384, 20000 - 8384) == repeated(b, 20000 - 8384));
	CHECK(f.disk->bytes(0, 777) == repeated(b, 777));
	CHECK(f.disk->bytes(777, 10) == pristine(777, 10));

	auto expected = repeated(a, 5000);
	expected.resize(8000);
	expected.resize(16 * 1024, a);
	CHECK(f.bytes_read(f.read(s, 0, 0, 16 * 1024)) == expected);
	CHECK(f.bytes_read(f.read(s, 1, 0, s->pieces().piece_size(piece_index{1}))) ==
		repeated(b, s->pieces().piece_size(piece_index{1})));
}

TEST_CASE("a hit shares the cached block without copying or asking the device")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 3, a);
	auto const whole = f.read(s, 0, 3 * block_bytes, block_bytes);
	auto const part = f.read(s, 0, 3 * block_bytes + 100, 50);
	CHECK(f.calls(device_call::read) == 0);
	CHECK(f.done(whole).block.data() == f.done(part).block.data());
	CHECK(f.done(part).block_offset_bytes == 100);
	CHECK(f.bytes_read(part) == repeated(a, 50));
	CHECK(f.stats.cache_hits == 2);
	CHECK(f.stats.cache_misses == 0);
}

TEST_CASE("a piece that is read in order is read from the device in ever larger parts, each once")
{
	engine_limits limits;
	limits.prefetch_bytes = 8 * block_bytes;
	engine_fixture f(limits);
	auto const s = plain(f);
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		CHECK(f.bytes_read(f.read(s, 0, i * block_bytes, block_bytes)) ==
			pristine(0x100000 + i * block_bytes, block_bytes));
	std::vector<std::uint64_t> blocks;
	for (auto const &op : f.disk->operations())
		blocks.push_back(op.length_bytes / block_bytes);
	CHECK(blocks == std::vector<std::uint64_t>{2, 4, 8, 2});
	CHECK(f.disk->operations()[2].buffers == 8);
	CHECK(f.stats.cache_misses == 4);
	CHECK(f.stats.cache_hits == piece_blocks - 4);
	CHECK(f.stats.ahead_blocks == piece_blocks - 4);
	CHECK(f.stats.ahead_unused_blocks == 0);
}

TEST_CASE("once pieces are read to their ends, the next is read as far as allowed in one call")
{
	engine_fixture f;
	auto const s = plain(f);
	for (int piece = 0; piece < 2; ++piece)
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			f.read(s, piece, i * block_bytes, block_bytes);
	auto const before = f.calls(device_call::read);
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		f.read(s, 2, i * block_bytes, block_bytes);
	CHECK(f.calls(device_call::read) == before + 1);
	CHECK(f.disk->operations().back().length_bytes == piece_bytes);
}

TEST_CASE("a reader of whole pieces finds what comes next already read")
{
	engine_limits limits;
	limits.prefetch_bytes = 4 * block_bytes;
	engine_fixture f(limits);
	auto const s = plain(f);
	for (int piece = 0; piece < 2; ++piece)
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			f.read(s, piece, i * block_bytes, block_bytes);
	auto const misses = f.stats.cache_misses.load();
	auto const calls = f.calls(device_call::read);
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		CHECK(f.bytes_read(f.read(s, 2, i * block_bytes, block_bytes)) ==
			pristine(0x100000 + 2 * piece_bytes + i * block_bytes, block_bytes));
	CHECK(f.stats.cache_misses == misses + 1);
	CHECK(f.calls(device_call::read) == calls + piece_blocks / 4);
	CHECK(f.stats.ahead_unused_blocks == 0);

	// What nobody asked for fails nobody: the next four blocks, and the first of them alone.
	f.faults->at_call_of(device_call::read, calls + 5, {});
	f.faults->at_call_of(device_call::read, calls + 6, {});
	for (std::uint32_t i = 0; i < 5; ++i)
		f.done(f.read(s, 3, i * block_bytes, block_bytes));
	CHECK(f.stats.errors == 2);
	CHECK(f.stats.cache_misses == misses + 3);
}

TEST_CASE("a lone block in the middle of a piece is read alone")
{
	engine_fixture f;
	auto const s = plain(f);
	f.read(s, 0, 7 * block_bytes, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == block_bytes);
	f.read(s, 0, 11 * block_bytes, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == block_bytes);
	CHECK(f.stats.ahead_blocks == 0);
}

TEST_CASE("a piece that several ask for is read on as far as allowed")
{
	engine_fixture f;
	auto const s = plain(f);
	f.read(s, 0, 7 * block_bytes, block_bytes);
	f.read(s, 0, 7 * block_bytes, block_bytes);
	f.read(s, 0, 10 * block_bytes, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == (piece_blocks - 10) * block_bytes);
}

TEST_CASE("a client whose requests do not end where blocks do counts as one reader")
{
	engine_fixture f;
	auto const s = plain(f);
	f.read(s, 0, 7 * block_bytes + 100, block_bytes);
	f.read(s, 0, 8 * block_bytes + 100, block_bytes);
	f.read(s, 0, 12 * block_bytes, 100);
	f.read(s, 0, 12 * block_bytes + 100, block_bytes - 100);
	f.read(s, 0, 14 * block_bytes, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == block_bytes);
}

TEST_CASE("what was read ahead and evicted unasked for is counted, and less is read ahead then")
{
	engine_limits limits;
	limits.prefetch_bytes = 8 * block_bytes;
	limits.cache_blocks_max = piece_blocks;
	engine_fixture f(limits);
	auto const s = plain(f);
	for (int piece = 0; piece < 2; ++piece)
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			f.read(s, piece, i * block_bytes, block_bytes);
	f.read(s, 2, 0, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == 8 * block_bytes);
	f.read(s, 3, 0, block_bytes);
	f.read(s, 0, 0, block_bytes);
	CHECK(f.stats.ahead_unused_blocks == 7);
	f.read(s, 1, 0, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == 2 * block_bytes);
}

TEST_CASE(
	"two peers at some distance read each byte from the device once, with a cache a fraction of the image")
{
	engine_limits limits;
	limits.cache_blocks_max = 2 * piece_blocks;
	engine_fixture f(limits, 1024, nullptr, 8 * 1024 * 1024);
	constexpr int pieces = 16;
	auto const s = f.add_storage({{"100000", pieces * piece_bytes, false}}, piece_bytes);
	s->set_readers(2);
	// The second one is a piece behind the first.
	for (int at = 0; at < pieces + 1; ++at) {
		for (int const piece : {at, at - 1}) {
			if (piece < 0 || piece >= pieces)
				continue;
			for (std::uint32_t i = 0; i < piece_blocks; ++i)
				f.read(s, piece, i * block_bytes, block_bytes);
		}
		f.sink.drop_all();
	}
	CHECK(f.stats.read_bytes == std::uint64_t{pieces} * piece_bytes);
	CHECK(f.stats.ahead_unused_blocks == 0);
}

TEST_CASE("read-ahead stops at a block that is cached, which may be newer than the device")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 2, a);
	f.read(s, 0, 0, block_bytes);
	CHECK(f.disk->operations().back().length_bytes == 2 * block_bytes);
	CHECK(f.bytes_read(f.read(s, 0, 2 * block_bytes, block_bytes)) == repeated(a, block_bytes));
}

TEST_CASE("a warm-up reads what is missing in one call and the reads that follow are hits")
{
	engine_fixture f;
	auto const s = plain(f);
	auto const warm = [&] {
		auto job = f.sink.make_job(job_kind::warm, s);
		job->piece = piece_index{1};
		job->length_bytes = piece_bytes;
		return f.done(f.submit(std::move(job))).cached_bytes;
	};
	CHECK(warm() == piece_bytes);
	CHECK(f.calls(device_call::read) == 1);
	CHECK(f.disk->operations().back().length_bytes == piece_bytes);
	CHECK(warm() == piece_bytes);
	CHECK(f.bytes_read(f.read(s, 1, 0, block_bytes)) == pristine(0x100000 + piece_bytes, block_bytes));
	CHECK(f.calls(device_call::read) == 1);
	CHECK(f.stats.ahead_blocks == 0);
}

TEST_CASE("a warm-up fills the share and pushes out neither what is wanted, nor what is dirty, nor its own")
{
	engine_limits limits;
	limits.cache_blocks_max = 2 * piece_blocks;
	engine_fixture f(limits);
	auto const s = plain(f);
	s->set_readers(5);
	for (int round = 0; round < 2; ++round)
		f.read(s, 0, 0, block_bytes); // wanted, with what was read ahead
	auto const wanted = static_cast<std::uint32_t>(f.stats.blocks_clean);
	auto const dirty = f.write(s, 3, 5, a);
	std::uint32_t cached = 0;
	for (int piece = 1; piece < 4; ++piece) {
		auto job = f.sink.make_job(job_kind::warm, s);
		job->piece = piece_index{piece};
		job->length_bytes = piece_bytes;
		cached += f.done(f.submit(std::move(job))).cached_bytes;
	}
	CHECK(f.stats.blocks_clean + f.stats.blocks_dirty == 2 * piece_blocks);
	CHECK(cached == (2 * piece_blocks - wanted) * block_bytes);
	CHECK(f.is_open(dirty));
	auto const before = f.calls(device_call::read);
	f.read(s, 0, 0, block_bytes);
	f.read(s, 1, 0, block_bytes);
	CHECK(f.calls(device_call::read) == before);
}

TEST_CASE("on a device with a queue the misses of a batch are read together, each block once")
{
	engine_limits limits;
	limits.prefetch_bytes = 0;
	engine_fixture f(limits);
	f.disk->set_queue_depth(8);
	auto const s = plain(f);
	f.done(f.control(job_kind::open, s));
	std::vector<std::size_t> jobs;
	for (int piece = 0; piece < 3; ++piece) {
		jobs.push_back(f.read(s, piece, 0, block_bytes));
		jobs.push_back(f.read(s, piece, block_bytes, block_bytes));
	}
	jobs.push_back(f.read(s, 0, 100, 200));
	CHECK(f.calls(device_call::read) == 0);
	f.engine.end_of_batch();
	CHECK(f.calls(device_call::read) == 3); // two blocks each
	for (int piece = 0; piece < 3; ++piece)
		CHECK(f.bytes_read(jobs[2 * static_cast<std::size_t>(piece)]) ==
			pristine(0x100000 + static_cast<std::uint64_t>(piece) * piece_bytes, block_bytes));
	CHECK(f.bytes_read(jobs.back()) == pristine(0x100000 + 100, 200));
	CHECK(f.stats.cache_misses == 6);
	CHECK(f.stats.cache_hits == 1);
	CHECK(f.stats.ahead_blocks == 0);
	auto const hit = f.read(s, 2, 0, block_bytes);
	f.done(hit); // at once
	CHECK(f.stats.queue_depth == 0);
}

TEST_CASE("reads that wait for the rest of their batch come before what changes their pieces")
{
	engine_fixture f;
	f.disk->set_queue_depth(8);
	auto const s = plain(f);
	f.done(f.control(job_kind::open, s));
	auto const first = f.read(s, 0, 0, block_bytes);
	auto const second = f.read(s, 1, 0, block_bytes);
	f.write(s, 1, 0, a);
	CHECK(f.bytes_read(second) == pristine(0x100000 + piece_bytes, block_bytes));
	CHECK(f.bytes_read(first) == pristine(0x100000, block_bytes));
}

TEST_CASE("a bad spot in what a batch reads fails the reads that meet it, and no others")
{
	engine_limits limits;
	limits.prefetch_bytes = 0;
	engine_fixture f(limits);
	f.disk->set_queue_depth(8);
	auto const s = plain(f);
	f.done(f.control(job_kind::open, s));
	f.faults->at_call_of(device_call::read, 0, {});
	f.faults->at_call_of(device_call::read, 3, {});
	std::vector<std::size_t> jobs;
	for (int piece = 0; piece < 3; ++piece)
		jobs.push_back(f.read(s, piece, 0, block_bytes));
	f.engine.end_of_batch();
	int failures = 0;
	for (auto const job : jobs) {
		REQUIRE(f.sink.answer(job) != nullptr);
		failures += f.sink.answer(job)->failure ? 1 : 0;
	}
	CHECK(failures == 1);
	CHECK(f.calls(device_call::read) == 4); // the batch, and the failed one once more
}

TEST_CASE("a volatile read leaves nothing behind")
{
	engine_fixture f;
	auto const s = plain(f);
	f.read(s, 0, 0, block_bytes, true);
	CHECK(f.disk->operations().back().length_bytes == block_bytes);
	CHECK(f.stats.blocks_clean == 0);
	f.sink.drop_all();
	CHECK(f.arena->used_blocks() == 0);
}

TEST_CASE("a read across a cached and an uncached block asks the device once")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	auto const bytes = f.bytes_read(f.read(s, 0, 10000, block_bytes));
	auto expected = repeated(a, block_bytes - 10000);
	auto const rest = pristine(0x100000 + block_bytes, 10000);
	expected.insert(expected.end(), rest.begin(), rest.end());
	CHECK(bytes == expected);
	CHECK(f.calls(device_call::read) == 1);
}

TEST_CASE("an error in what was read ahead does not fail the read")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->at_call_of(device_call::read, 0, {});
	CHECK(f.bytes_read(f.read(s, 0, 0, block_bytes)) == pristine(0x100000, block_bytes));
	CHECK(f.calls(device_call::read) == 2);
}

TEST_CASE("a read error is the device's own, leaves the storage alone and is not cached")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->always(device_call::read, {});
	auto const e = f.failed(f.read(s, 0, 0, block_bytes));
	CHECK(e.code == errc::io_error);
	CHECK(e.os_errno == EIO);
	CHECK(e.operation == "preadv");
	CHECK_FALSE(s->has_failed());
	f.faults->switch_off();
	f.done(f.read(s, 0, 0, block_bytes));
}

TEST_CASE("a failed write fails its whole run, reports the first failure once and lets no more through")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->at_call_of(device_call::write, 0, {fault::kind::fail, ENOSPC, 0});
	std::vector<std::size_t> run{f.write(s, 0, 0, a), f.write(s, 0, 1, a), f.write(s, 0, 2, a)};
	auto const later_in_sweep = f.write(s, 2, 0, a);
	f.engine.flush_all();
	unsigned firsts = 0;
	for (auto const job : run) {
		CHECK(f.failed(job).os_errno == ENOSPC);
		firsts += f.sink.answer(job)->is_first_failure ? 1 : 0;
	}
	CHECK(firsts == 1);
	CHECK(f.failed(later_in_sweep).code == errc::aborted);
	CHECK_FALSE(f.sink.answer(later_in_sweep)->is_first_failure);
	CHECK(s->has_failed());
	CHECK(f.calls(device_call::write) == 1);

	CHECK(f.failed(f.write(s, 3, 0, a)).code == errc::aborted);
	CHECK(f.calls(device_call::write) == 1);
	// What was not written is read from the device, not from the cache.
	CHECK(f.bytes_read(f.read(s, 0, 0, block_bytes)) == pristine(0x100000, block_bytes));
	f.sink.drop_all();
	CHECK(f.stats.blocks_dirty == 0);
}

TEST_CASE("writes under way beside a failed one have their own results, and no more are tried")
{
	engine_fixture f;
	f.disk->set_queue_depth(3);
	auto const s = plain(f);
	// The queue begins with the third of the batch, and leaves out the first after that failed.
	f.faults->at_call_of(device_call::write, 0, {fault::kind::fail, EIO, 0});
	auto const left_out = f.write(s, 0, 0, a);
	auto const beside = f.write(s, 1, 0, a);
	std::vector<std::size_t> const bad{f.write(s, 2, 0, a), f.write(s, 2, 1, a)};
	auto const later = f.write(s, 3, 0, a);
	f.engine.flush_all();
	f.done(beside);
	CHECK(f.disk->bytes(0x100000 + piece_bytes, block_bytes) == repeated(a, block_bytes));
	CHECK(f.failed(bad[0]).os_errno == EIO);
	CHECK(f.failed(bad[1]).os_errno == EIO);
	CHECK(f.sink.answer(bad[0])->is_first_failure);
	CHECK_FALSE(f.sink.answer(bad[1])->is_first_failure);
	CHECK(f.failed(later).code == errc::aborted);
	CHECK(f.failed(left_out).code == errc::aborted);
	CHECK(f.failed(left_out).message == f.failed(later).message);
	CHECK(f.calls(device_call::write) == 2);
	CHECK(f.stats.errors == 1);
	CHECK(s->has_failed());
	CHECK(f.failed(f.control(job_kind::sync, s)).os_errno == EIO);
}

TEST_CASE("a failure of one storage leaves another on the same disk alone")
{
	engine_fixture f;
	auto const bad = plain(f);
	auto const good = f.add_storage({{"400000", piece_bytes, false}}, piece_bytes);
	f.faults->at_call_of(device_call::write, 0, {});
	auto const first = f.write(bad, 0, 0, a);
	f.engine.flush_all();
	auto const second = f.write(good, 0, 0, b);
	f.engine.flush_all();
	CHECK(f.failed(first).code == errc::io_error);
	f.done(second);
	f.done(f.control(job_kind::sync, good));
}

TEST_CASE("after a failure is cleared the device is opened anew and writes go through")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->at_call_of(device_call::write, 0, {});
	f.write(s, 0, 0, a);
	f.engine.flush_all();
	CHECK(f.calls(device_call::open) == 1);
	s->clear_failure();
	auto const again = f.write(s, 0, 0, b);
	f.engine.flush_all();
	f.done(again);
	CHECK(f.calls(device_call::open) == 2);
	CHECK(f.disk->open_handles() == 1);
	CHECK(f.disk->bytes(0x100000, block_bytes) == repeated(b, block_bytes));
}

TEST_CASE("a device that cannot be opened fails the job and is tried again at the next")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->at_call_of(device_call::open, 0, {fault::kind::fail, ENODEV, 0});
	CHECK(f.failed(f.control(job_kind::open, s)).os_errno == ENODEV);
	CHECK_FALSE(s->has_failed());
	f.done(f.control(job_kind::open, s));
	CHECK(f.disk->open_handles() == 1);
}

TEST_CASE("a rewrite of a dirty block answers both jobs and the newer data wins")
{
	engine_fixture f;
	auto const s = plain(f);
	auto const older = f.write(s, 0, 0, a);
	auto const newer = f.write(s, 0, 0, b);
	f.done(older);
	CHECK(f.is_open(newer));
	CHECK(f.bytes_read(f.read(s, 0, 0, block_bytes)) == repeated(b, block_bytes));
	f.engine.flush_all();
	f.done(newer);
	CHECK(f.disk->bytes(0x100000, block_bytes) == repeated(b, block_bytes));
}

TEST_CASE("a rewrite leaves the bytes that a reader still holds unchanged")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.engine.flush_all();
	auto const held = f.read(s, 0, 0, block_bytes);
	f.write(s, 0, 0, b);
	f.engine.flush_all();
	CHECK(f.bytes_read(held) == repeated(a, block_bytes));
}

TEST_CASE("a piece hashes from dirty, clean and uncached blocks together")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.engine.flush_all();
	f.write(s, 0, 5, b);
	auto expected = pristine(0x100000, piece_bytes);
	std::memset(expected.data(), 0xaa, block_bytes);
	std::memset(expected.data() + 5 * block_bytes, 0xbb, block_bytes);
	auto const job = f.hash(s, 0);
	CHECK(f.done(job).sha1 == sha1_of(expected));
	CHECK(f.stats.hashed_bytes == piece_bytes);
	CHECK(f.calls(device_call::read) == 2);
	CHECK(f.stats.hash_latency.summarize().count == 1);
	CHECK(f.stats.queue_depth == 1); // the dirty block
}

TEST_CASE("a hash that bypasses the cache writes first and then trusts the device alone")
{
	engine_fixture f;
	auto const s = plain(f);
	auto const written = f.write(s, 0, 0, a);
	f.faults->at_call_of(device_call::write, 0, {fault::kind::flip_bit, 0, 0});
	auto const from_cache = f.hash(s, 0);
	auto const from_device = f.hash(s, 0, true);
	f.done(written);
	f.catch_up();
	auto expected = pristine(0x100000, piece_bytes);
	std::memset(expected.data(), 0xaa, block_bytes);
	CHECK(f.done(from_cache).sha1 == sha1_of(expected));
	CHECK(f.done(from_device).sha1 != sha1_of(expected));
	CHECK(f.done(from_device).sha1 == sha1_of(f.disk->bytes(0x100000, piece_bytes)));
}

TEST_CASE("block hashes cover the piece without the padding at its end")
{
	engine_fixture f;
	auto const s = f.add_storage({{"0", 20000, false}, {"pad", 45536, true}}, 64 * 1024);
	auto job = f.sink.make_job(job_kind::hash_piece, s);
	job->want_sha1 = true;
	job->want_block_sha256 = true;
	job->sha256_bytes = 20000;
	auto const number = f.submit(std::move(job));
	auto expected = pristine(0, 20000);
	std::span<std::byte const> const bytes = expected;
	REQUIRE(f.done(number).block_sha256.size() == 2);
	CHECK(f.done(number).block_sha256[0] == sha256_of(bytes.first(block_bytes)));
	CHECK(f.done(number).block_sha256[1] == sha256_of(bytes.subspan(block_bytes)));
	expected.resize(65536);
	CHECK(f.done(number).sha1 == sha1_of(expected));

	auto one = f.sink.make_job(job_kind::hash_block, s);
	one->offset_bytes = block_bytes;
	one->length_bytes = 20000 - block_bytes;
	auto const single = f.submit(std::move(one));
	REQUIRE(f.done(single).block_sha256.size() == 1);
	CHECK(f.done(single).block_sha256[0] == f.done(number).block_sha256[1]);
}

TEST_CASE("a read error while hashing is the job's failure")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->always(device_call::read, {fault::kind::end, 0, 0});
	CHECK(f.failed(f.hash(s, 0)).code == errc::unexpected_end);
	CHECK(f.stats.queue_depth == 0);
	CHECK(f.arena->used_blocks() == 0);
}

TEST_CASE("without a free block a piece is hashed through a buffer of the partition's own")
{
	engine_fixture f({}, 64);
	auto const s = plain(f);
	f.write(s, 1, 2, a);
	f.engine.flush_all();
	std::vector<block_ref> hoard;
	while (auto block = f.arena->allocate(block_purpose::receive))
		hoard.push_back(std::move(block));
	auto keep_cached = f.read(s, 1, 2 * block_bytes, block_bytes);
	auto expected = pristine(0x100000 + piece_bytes, piece_bytes);
	std::memset(expected.data() + 2 * block_bytes, 0xaa, block_bytes);
	CHECK(f.done(f.hash(s, 1)).sha1 == sha1_of(expected));
	auto const verified = f.hash(s, 1, true);
	f.catch_up();
	CHECK(f.done(verified).sha1 == sha1_of(expected));
	CHECK(f.done(f.hash(s, 0)).sha1 == sha1_of(pristine(0x100000, piece_bytes)));
	f.done(keep_cached);
	CHECK(f.stats.queue_depth == 0);
	f.faults->always(device_call::read, {});
	CHECK(f.failed(f.hash(s, 0)).os_errno == EIO);
}

TEST_CASE("large pieces go to the hashers in tasks of at most 1 MiB of one stream")
{
	held_hash_dispatcher hashers;
	engine_fixture f({}, 4096, &hashers);
	auto const s = f.add_storage({{"0", 4 * 1024 * 1024, false}}, 4 * 1024 * 1024);
	auto const job = f.hash(s, 0);
	REQUIRE(hashers.tasks().size() == 4);
	for (auto const &task : hashers.tasks()) {
		CHECK(task.parts.size() == 64);
		CHECK(task.stream == hashers.tasks().front().stream);
	}
	CHECK(f.is_open(job));
	hashers.run_all();
	CHECK(f.done(job).sha1 == sha1_of(pristine(0, 4 * 1024 * 1024)));
}

TEST_CASE(
	"a hash that fails half way keeps its partition until hashers are through with what they have of it")
{
	held_hash_dispatcher hashers;
	engine_fixture f({}, 4096, &hashers);
	auto const s = f.add_storage({{"0", 2 * 1024 * 1024, false}}, 2 * 1024 * 1024);
	f.faults->at_call_of(device_call::read, 1, {});
	CHECK(f.failed(f.hash(s, 0)).os_errno == EIO);
	REQUIRE(hashers.tasks().size() == 1);
	CHECK_FALSE(f.engine.drain());
	hashers.run_all();
	CHECK(f.engine.drain());
}

TEST_CASE("what was read to be hashed is kept for the readers that follow, unless it was a scan")
{
	engine_fixture f;
	auto const s = f.add_storage({{"0", 64 * 1024, false}}, 64 * 1024);
	CHECK(f.done(f.hash(s, 0)).sha1 == sha1_of(pristine(0, 64 * 1024)));
	CHECK(f.arena->used_blocks() == 4);
	f.disk->forget_operations();
	CHECK_FALSE(f.done(f.read(s, 0, 16384, 16384)).failure);
	CHECK(f.disk->operations().empty());

	engine_fixture scanned;
	auto const t = scanned.add_storage({{"0", 64 * 1024, false}}, 64 * 1024);
	auto scan = scanned.sink.make_job(job_kind::hash_piece, t); // as a check would
	scan->want_sha1 = true;
	scan->is_volatile = true;
	auto const number = scan->number;
	scanned.process(std::move(scan));
	scanned.catch_up();
	CHECK(scanned.done(number).sha1 == sha1_of(pristine(0, 64 * 1024)));
	CHECK(scanned.arena->used_blocks() == 0);
}

TEST_CASE("a cleared piece answers when its hash is out of the hashers and forgets its blocks")
{
	held_hash_dispatcher hashers;
	engine_fixture f({}, 1024, &hashers);
	auto const s = plain(f);
	auto const written = f.write(s, 0, 0, a);
	auto const hash = f.hash(s, 0);
	auto const clear = f.control(job_kind::clear_piece, s, 0);
	f.done(written);
	CHECK(f.stats.blocks_clean == 0);
	f.engine.end_of_batch();
	CHECK(f.is_open(clear));
	REQUIRE(f.engine.next_deadline());
	CHECK(*f.engine.next_deadline() <= f.clock.now() + 5ms);
	hashers.run_all();
	f.done(hash);
	f.clock.advance(5ms);
	f.engine.end_of_batch();
	f.done(clear);
	CHECK_FALSE(f.engine.next_deadline());
}

TEST_CASE("pressed while memory is short, a partition gives up what it has cached")
{
	engine_fixture f;
	auto const s = plain(f);
	for (int piece = 0; piece < 4; ++piece)
		for (std::uint32_t i = 0; i < piece_blocks; ++i)
			f.sink.drop(f.read(s, piece, i * block_bytes, block_bytes));
	REQUIRE(f.stats.blocks_clean == 4 * piece_blocks);
	f.engine.relieve();
	CHECK(f.stats.blocks_clean == 4 * piece_blocks);
	// Others hold so much that this share is more than is left.
	std::vector<block_ref> taken;
	while (!f.arena->is_short())
		taken.push_back(f.arena->allocate(block_purpose::receive));
	f.engine.relieve();
	CHECK(f.stats.blocks_clean == 0);
	CHECK_FALSE(f.arena->is_short());
}

TEST_CASE("a read that others leave no memory for does not empty the cache in vain")
{
	engine_fixture f;
	auto const s = plain(f);
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		f.sink.drop(f.read(s, 0, i * block_bytes, block_bytes));
	std::vector<block_ref> taken;
	while (auto block = f.arena->allocate(block_purpose::receive))
		taken.push_back(std::move(block));
	REQUIRE(f.arena->lacking_for_reading() > f.arena->reserve_blocks());
	auto const waiting = f.read(s, 1, 0, block_bytes);
	f.engine.end_of_batch();
	CHECK(f.is_open(waiting));
	CHECK(f.stats.blocks_clean == piece_blocks);
	auto const cached = f.read(s, 0, 0, block_bytes);
	f.done(cached);
	f.sink.drop(cached);

	// What is in the reserve all caches make up for, a little each at a time.
	while (f.arena->lacking_for_reading() > piece_blocks + 1)
		taken.pop_back();
	f.clock.advance(5ms);
	f.engine.end_of_batch();
	CHECK(f.is_open(waiting));
	CHECK(f.stats.blocks_clean == piece_blocks / 2);
	taken.pop_back();
	f.clock.advance(5ms);
	f.engine.end_of_batch();
	f.done(waiting);
}

TEST_CASE("a read waits for a free block and is answered when there is one")
{
	engine_fixture f({}, 64);
	auto const s = plain(f);
	std::vector<block_ref> hoard;
	while (auto block = f.arena->allocate(block_purpose::receive))
		hoard.push_back(std::move(block));
	auto const first = f.read(s, 0, 0, block_bytes);
	auto const second = f.read(s, 0, block_bytes, block_bytes);
	CHECK(f.is_open(first));
	CHECK(f.stats.jobs_waiting == 2);
	f.engine.end_of_batch();
	CHECK(f.is_open(first));
	REQUIRE(f.engine.next_deadline());
	CHECK(*f.engine.next_deadline() <= f.clock.now() + 5ms);
	hoard.clear();
	f.clock.advance(5ms);
	f.engine.end_of_batch();
	CHECK(f.bytes_read(first) == pristine(0x100000, block_bytes));
	CHECK(f.bytes_read(second) == pristine(0x100000 + block_bytes, block_bytes));
	CHECK(f.stats.jobs_waiting == 0);
}

TEST_CASE("a waiting read takes the memory of blocks that this partition still had to write")
{
	engine_fixture f({}, 64);
	auto const s = plain(f);
	std::vector<std::size_t> jobs;
	for (std::uint32_t i = 0; i < 64; ++i)
		jobs.push_back(f.write(s, static_cast<int>(i / piece_blocks), i % piece_blocks, a));
	auto const other = f.add_storage({{"400000", piece_bytes, false}}, piece_bytes);
	auto const read = f.read(other, 0, 0, block_bytes);
	CHECK(f.is_open(read));
	f.engine.end_of_batch();
	CHECK(f.bytes_read(read) == pristine(0x400000, block_bytes));
	for (auto const job : jobs)
		f.done(job);
}

TEST_CASE("the shard never holds more than its share, clean and dirty together")
{
	engine_limits limits;
	limits.cache_blocks_max = 8;
	limits.coalesce_bytes = 1024 * 1024;
	engine_fixture f(limits);
	auto const s = plain(f);
	auto const held = [&]() { return f.stats.blocks_clean + f.stats.blocks_dirty; };
	for (std::uint32_t i = 0; i < 30; ++i) {
		f.write(s, static_cast<int>(i % 4), i / 4, a);
		CHECK(held() <= 8);
		f.read(s, static_cast<int>(i % 4), 12 * block_bytes, block_bytes);
		CHECK(held() <= 8);
	}
	limits.cache_blocks_max = 2;
	f.engine.set_limits(limits);
	CHECK(held() <= 2);
	f.engine.flush_all();
	CHECK(f.disk->bytes(0x100000, block_bytes) == repeated(a, block_bytes));
}

TEST_CASE("a sync answers after everything before it is written and flushed")
{
	engine_fixture f;
	auto const s = plain(f);
	auto const written = f.write(s, 0, 0, a);
	auto const sync = f.control(job_kind::sync, s);
	f.done(written);
	f.done(sync);
	CHECK(f.disk->operations().back().kind == device_call::flush);
	f.disk->cut_power();
	CHECK(f.disk->bytes(0x100000, block_bytes) == repeated(a, block_bytes));
	CHECK(f.stats.syncs == 1);
	CHECK(f.stats.sync_latency.summarize().count == 1);
}

TEST_CASE("a sync after a failed write fails with what the device said")
{
	engine_fixture f;
	auto const s = plain(f);
	f.faults->at_call_of(device_call::write, 0, {fault::kind::torn, EIO, 100});
	f.write(s, 0, 0, a);
	auto const first = f.failed(f.control(job_kind::sync, s));
	CHECK(first.operation == "pwritev");
	auto const second = f.failed(f.control(job_kind::sync, s));
	CHECK(second.operation == "pwritev");
	CHECK(f.calls(device_call::flush) == 0);
}

TEST_CASE("a failed flush is final although the kernel says OK the next time")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.faults->at_call_of(device_call::flush, 0, {});
	auto const sync = f.control(job_kind::sync, s);
	CHECK(f.failed(sync).operation == "fdatasync");
	CHECK(f.sink.answer(sync)->is_first_failure);
	CHECK(f.failed(f.control(job_kind::sync, s)).operation == "fdatasync");
	CHECK(f.failed(f.write(s, 0, 1, a)).code == errc::aborted);
	CHECK(f.calls(device_call::flush) == 1);
}

TEST_CASE("a failed flush is final for every torrent that wrote to the device before it")
{
	engine_fixture f;
	auto const one = plain(f);
	auto const other = f.add_storage({{"400000", piece_bytes, false}}, piece_bytes, "bb");
	auto const late = f.add_storage({{"500000", piece_bytes, false}}, piece_bytes, "cc");
	f.write(one, 0, 0, a);
	f.write(other, 0, 0, a);
	f.engine.flush_all();
	f.faults->at_call_of(device_call::flush, 0, {});
	CHECK(f.failed(f.control(job_kind::sync, one)).operation == "fdatasync");
	// The device would say OK now: its one failure was told to somebody else.
	auto const told = f.failed(f.control(job_kind::sync, other));
	CHECK(told.operation == "fdatasync");
	CHECK(told.message.find("another flush of the device failed") == 0);
	CHECK(other->has_failed());
	CHECK(f.calls(device_call::flush) == 1);
	// What is written after it is flushed after it.
	f.write(late, 0, 0, a);
	f.done(f.control(job_kind::sync, late));

	// After the operator let them go on what is there is looked at, and a flush counts again.
	for (auto const &s : {one, other}) {
		f.control(job_kind::discard, s);
		s->clear_failure();
		auto const verified = f.hash(s, 0, true);
		f.catch_up();
		f.done(verified);
		f.done(f.control(job_kind::sync, s));
	}
}

TEST_CASE("a partition whose flush succeeds after another's failed does not make it good")
{
	engine_fixture f;
	auto const s = plain(f);
	partition_stats stats;
	recording_sink sink;
	partition_engine second(*f.arena, f.inline_hashers, stats, {}, [&f] { return f.clock.now(); });
	auto job = f.sink.make_job(job_kind::write, s);
	job->piece = piece_index{1};
	job->length_bytes = block_bytes;
	job->block = f.filled_block(a);
	stats.queue_depth = 2;
	second.process(std::move(job));
	second.flush_all();
	// A torrent beside it eats the failure of the device's flush.
	auto const other = f.add_storage({{"400000", piece_bytes, false}}, piece_bytes, "bb");
	f.write(other, 0, 0, a);
	f.faults->at_call_of(device_call::flush, 0, {});
	CHECK(f.failed(f.control(job_kind::sync, other)).operation == "fdatasync");
	auto sync = f.sink.make_job(job_kind::sync, s);
	auto const number = sync->number;
	second.process(std::move(sync));
	CHECK(f.failed(number).operation == "fdatasync");
	CHECK(s->has_failed());
	CHECK(stats.queue_depth == 0);
	(void)second.stop(); // its failure was told
}

TEST_CASE("a write-back writes what is dirty, flushes nothing and keeps the blocks")
{
	engine_fixture f;
	auto const s = f.add_storage({{"0", 64 * 1024, false}}, 64 * 1024);
	auto const written = f.write(s, 0, 1, std::byte{7});
	f.done(f.control(job_kind::write_back, s));
	f.done(written);
	CHECK(f.disk->bytes(16384, 1).front() == std::byte{7});
	CHECK(f.faults->calls_of(device_call::flush) == 0);
	f.disk->forget_operations();
	CHECK(f.bytes_read(f.read(s, 0, 16384, 16384)).front() == std::byte{7});
	CHECK(f.disk->operations().empty());

	f.faults->always(device_call::write, {fault::kind::fail, EIO});
	f.write(s, 0, 2, std::byte{8});
	CHECK(f.failed(f.control(job_kind::write_back, s)).os_errno == EIO);
}

TEST_CASE("release writes, flushes, forgets and closes; discard forgets what was not written")
{
	engine_fixture f;
	auto const s = plain(f);
	auto const kept = f.write(s, 0, 0, a);
	f.done(f.control(job_kind::release, s));
	f.done(kept);
	CHECK(f.disk->open_handles() == 0);
	CHECK(f.stats.blocks_clean == 0);
	CHECK(f.arena->used_blocks() == 0);
	CHECK(f.calls(device_call::flush) == 1);
	f.disk->cut_power();
	CHECK((f.disk->bytes(0x100000, block_bytes) == repeated(a, block_bytes)));

	auto const lost = f.write(s, 0, 1, b);
	f.done(f.control(job_kind::discard, s));
	CHECK(f.failed(lost).code == errc::aborted);
	CHECK_FALSE(s->has_failed());
	CHECK(f.disk->open_handles() == 1);
	CHECK(f.disk->bytes(0x100000 + block_bytes, 16) == pristine(0x100000 + block_bytes, 16));
}

TEST_CASE("a release whose flush fails makes the storage fail")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.faults->at_call_of(device_call::flush, 0, {});
	auto const release = f.control(job_kind::release, s);
	CHECK(f.failed(release).operation == "fdatasync");
	CHECK(f.sink.answer(release)->is_first_failure);
	CHECK(s->has_failed());
	CHECK(f.disk->open_handles() == 0);
}

TEST_CASE("a release without writes flushes nothing")
{
	engine_fixture f;
	auto const s = plain(f);
	f.bytes_read(f.read(s, 0, 0, block_bytes));
	f.done(f.control(job_kind::release, s));
	CHECK(f.calls(device_call::flush) == 0);
}

TEST_CASE("clear, release, discard and stop end the reads that wait for a block")
{
	for (auto const kind : {job_kind::clear_piece, job_kind::release, job_kind::discard}) {
		engine_fixture f({}, 64);
		auto const s = plain(f);
		auto const other = f.add_storage({{"400000", piece_bytes, false}}, piece_bytes);
		std::vector<block_ref> hoard;
		while (auto block = f.arena->allocate(block_purpose::receive))
			hoard.push_back(std::move(block));
		auto const read = f.read(s, 0, 0, block_bytes);
		auto const unrelated = f.read(other, 0, 0, block_bytes);
		f.done(f.control(kind, s));
		CHECK(f.failed(read).code == errc::aborted);
		CHECK(f.is_open(unrelated));
		CHECK(f.engine.stop().has_value());
		CHECK(f.failed(unrelated).code == errc::aborted);
	}
}

TEST_CASE("stop writes and flushes everything, closes the devices and refuses what comes later")
{
	engine_fixture f;
	auto const s = plain(f);
	auto const written = f.write(s, 0, 0, a);
	CHECK(f.engine.stop().has_value());
	f.done(written);
	CHECK(f.calls(device_call::flush) == 1);
	CHECK(f.disk->open_handles() == 0);
	CHECK(f.failed(f.read(s, 0, 0, block_bytes)).code == errc::aborted);
	CHECK(f.failed(f.write(s, 0, 0, a)).code == errc::aborted);
	CHECK(f.engine.stop().has_value());
	f.sink.drop_all();
	CHECK(f.arena->used_blocks() == 0);
	CHECK(f.stats.queue_depth == 0);
}

TEST_CASE("stop returns the first failure")
{
	engine_fixture f;
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.faults->always(device_call::flush, {});
	auto const stopped = f.engine.stop();
	REQUIRE_FALSE(stopped.has_value());
	CHECK(stopped.failure().operation == "fdatasync");
}

TEST_CASE("impossible jobs are refused without touching the device")
{
	engine_fixture f;
	auto const s = f.add_storage({{"0", 300000, false}}, piece_bytes);
	auto const refused = [&](std::size_t number) { CHECK(f.failed(number).code == errc::invalid_argument); };
	refused(f.read(s, 0, 0, 0));
	refused(f.read(s, 0, 0, block_bytes + 1));
	refused(f.read(s, 1, 37000, 16000));
	refused(f.read(s, 2, 0, 1));
	refused(f.read(s, -1, 0, 1));
	refused(f.read(s, 0, ~0U, 1));
	refused(f.hash(s, 2));
	refused(f.control(job_kind::sync, nullptr));
	auto unaligned = f.sink.make_job(job_kind::write, s);
	unaligned->offset_bytes = 1;
	unaligned->length_bytes = block_bytes;
	unaligned->block = f.filled_block(a);
	refused(f.submit(std::move(unaligned)));
	auto empty = f.sink.make_job(job_kind::write, s);
	empty->length_bytes = block_bytes;
	refused(f.submit(std::move(empty)));
	CHECK(f.faults->calls() == 0);
	CHECK(f.stats.queue_depth == 0);
}
