#include "actors/core/partition_engine.hpp"

#include "tests/core/engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <set>

using namespace ezio;
using namespace ezio::test;
using namespace std::chrono_literals;

namespace
{

constexpr std::uint32_t piece_bytes = 1024 * 1024;
constexpr std::byte a{0xaa};

/// An engine whose hashers do nothing until they are told to, on a disk of 32 MiB with direct I/O.
struct scan_fixture {
	explicit scan_fixture(std::uint32_t capacity_blocks = 4096)
		: f(limits(), capacity_blocks, &hashers, 32 * 1024 * 1024, 0, [this] { ++wakes; })
	{
		f.disk->set_direct(true);
	}
	~scan_fixture() { hashers.run_all(); }

	static engine_limits limits()
	{
		engine_limits bounds;
		bounds.cache_blocks_max = 2048;
		return bounds;
	}
	std::shared_ptr<storage> plain(std::uint32_t pieces, std::uint64_t offset = 0)
	{
		char name[32];
		std::snprintf(name, sizeof(name), "%llx", static_cast<unsigned long long>(offset));
		return f.add_storage({{name, std::uint64_t{pieces} * piece_bytes, false}}, piece_bytes);
	}
	/// As a check asks for it.
	std::size_t check(std::shared_ptr<storage> const &of, int piece)
	{
		auto job = f.sink.make_job(job_kind::hash_piece, of);
		job->piece = piece_index{piece};
		job->want_sha1 = true;
		job->is_volatile = true;
		return f.submit(std::move(job));
	}
	std::vector<std::size_t> check_all(std::shared_ptr<storage> const &of)
	{
		std::vector<std::size_t> jobs;
		for (int piece = 0; piece < of->pieces().piece_count(); ++piece)
			jobs.push_back(check(of, piece));
		return jobs;
	}
	/// All rounds that are due, each hashed before the next is read; how many.
	int run_to_end()
	{
		int rounds = 0;
		for (; !hashers.tasks().empty() || f.engine.next_deadline(); ++rounds) {
			REQUIRE(rounds < 1000);
			hashers.run_all();
			f.engine.end_of_batch();
		}
		return rounds;
	}
	std::uint64_t blocks_held() const
	{
		std::uint64_t blocks = 0;
		for (auto const &task : hashers.tasks())
			blocks += task.parts.size();
		return blocks;
	}
	sha1_digest pristine_sha1(int piece, std::uint64_t offset = 0) const
	{
		return sha1_of(pristine(offset + static_cast<std::uint64_t>(piece) * piece_bytes, piece_bytes));
	}

	held_hash_dispatcher hashers;
	std::atomic<int> wakes{0};
	engine_fixture f;
};

} // namespace

TEST_CASE("pieces that are checked are read side by side, a part of each in one round")
{
	scan_fixture s;
	auto const target = s.plain(20);
	auto const jobs = s.check_all(target);
	CHECK(s.hashers.tasks().empty()); // what came together is read together
	s.f.engine.end_of_batch();
	REQUIRE(s.hashers.tasks().size() == 16);
	std::set<hash_stream const *> streams;
	for (auto const &task : s.hashers.tasks()) {
		CHECK(task.parts.size() == 16);
		CHECK_FALSE(task.job);
		streams.insert(task.stream.get());
	}
	CHECK(streams.size() == 16);
	CHECK(s.f.calls(device_call::read) == 16);
	s.run_to_end();
	for (std::size_t i = 0; i < jobs.size(); ++i)
		CHECK(s.f.done(jobs[i]).sha1 == s.pristine_sha1(static_cast<int>(i)));
	CHECK(s.f.calls(device_call::read) == 20 * 4);
	// What is read to be checked says nothing about the cache.
	CHECK(s.f.stats.cache_misses == 0);
	CHECK(s.f.stats.cache_hits == 0);
	CHECK(s.f.stats.queue_depth == 0);
	CHECK(s.f.arena->used_blocks() == 0);
	CHECK_FALSE(s.f.engine.next_deadline());
}

TEST_CASE("a check keeps two rounds with the hashers and is woken when one of them is through")
{
	scan_fixture s;
	auto const target = s.plain(16);
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch();
	CHECK(s.blocks_held() == 256);
	REQUIRE(s.f.engine.next_deadline()); // the next round, while the first is hashed
	CHECK(*s.f.engine.next_deadline() == s.f.clock.now());
	s.f.engine.end_of_batch();
	CHECK(s.blocks_held() == 512);
	CHECK_FALSE(s.f.engine.next_deadline());
	s.f.engine.end_of_batch();
	CHECK(s.blocks_held() == 512);
	CHECK(s.wakes == 0);
	s.hashers.run_some(16);
	CHECK(s.wakes == 1);
	s.f.engine.end_of_batch();
	CHECK(s.blocks_held() == 512);
	s.run_to_end();
	for (auto const job : jobs)
		s.f.done(job);
}

TEST_CASE("through the page cache the parts are short, and those of few pieces long again")
{
	scan_fixture s;
	s.f.disk->set_direct(false);
	auto const target = s.plain(16);
	s.check_all(target);
	s.f.engine.end_of_batch();
	CHECK(s.hashers.tasks().front().parts.size() == 4);
	s.run_to_end();
	s.check(target, 0);
	s.f.engine.end_of_batch();
	CHECK(s.hashers.tasks().front().parts.size() == 64);
	s.run_to_end();
}

TEST_CASE("on a rotating disk pieces are read one after the other")
{
	scan_fixture s;
	s.f.disk->set_rotational(true);
	auto const target = s.plain(4);
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch();
	CHECK(s.hashers.tasks().size() == 1);
	s.run_to_end();
	std::vector<std::uint64_t> offsets;
	for (auto const &op : s.f.disk->operations())
		offsets.push_back(op.offset_bytes);
	CHECK(std::is_sorted(offsets.begin(), offsets.end()));
	for (auto const job : jobs)
		s.f.done(job);
}

TEST_CASE("what a peer asks for is answered between the rounds of a check")
{
	scan_fixture s;
	auto const target = s.plain(16);
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch();
	auto const read = s.f.read(target, 3, 0, block_bytes);
	CHECK(s.f.bytes_read(read) == pristine(3 * piece_bytes, block_bytes));
	CHECK(s.f.is_open(jobs[0]));
	s.run_to_end();
}

TEST_CASE("a check sees what is dirty, a verification writes it first and trusts the device")
{
	scan_fixture s;
	auto const target = s.plain(2);
	s.f.write(target, 0, 5, a);
	s.f.faults->at_call_of(device_call::write, 0, {fault::kind::flip_bit, 0, 0});
	auto const checked = s.check(target, 0);
	s.f.engine.end_of_batch();
	s.run_to_end();
	auto expected = pristine(0, piece_bytes);
	std::memset(expected.data() + 5 * block_bytes, 0xaa, block_bytes);
	CHECK(s.f.done(checked).sha1 == sha1_of(expected));
	auto const verified = s.f.hash(target, 0, true);
	s.f.engine.end_of_batch();
	s.run_to_end();
	CHECK(s.f.done(verified).sha1 == sha1_of(s.f.disk->bytes(0, piece_bytes)));
	CHECK(s.f.done(verified).sha1 != sha1_of(expected));
}

TEST_CASE("a piece that is to change is hashed to its end before")
{
	scan_fixture s;
	auto const target = s.plain(16);
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch(); // one part of each
	auto const written = s.f.write(target, 2, 63, a);
	s.f.engine.flush_all();
	s.f.done(written);
	s.run_to_end();
	CHECK(s.f.done(jobs[2]).sha1 == s.pristine_sha1(2));
}

TEST_CASE("a storage that is let go has its pieces hashed before, and another goes on")
{
	auto const kind = GENERATE(job_kind::release, job_kind::discard);
	scan_fixture s;
	auto const target = s.plain(4);
	auto const other = s.plain(4, 8 * 1024 * 1024);
	auto const jobs = s.check_all(target);
	auto const others = s.check_all(other);
	s.f.engine.end_of_batch();
	auto const gone = s.f.control(kind, target);
	s.f.done(gone);
	auto const reads = s.f.calls(device_call::read);
	s.hashers.run_all();
	for (auto const job : jobs)
		s.f.done(job);
	CHECK(s.f.is_open(others[0]));
	s.run_to_end();
	CHECK(s.f.calls(device_call::read) > reads);
	for (std::size_t i = 0; i < others.size(); ++i)
		CHECK(s.f.done(others[i]).sha1 == s.pristine_sha1(static_cast<int>(i), 8 * 1024 * 1024));
}

TEST_CASE("a read that fails is the failure of its piece alone, and what was left out for it is read next")
{
	auto const depth = GENERATE(std::size_t{1}, std::size_t{8});
	scan_fixture s;
	s.f.disk->set_queue_depth(depth);
	auto const target = s.plain(8);
	s.f.faults->at_call_of(device_call::read, 3, {});
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch();
	s.run_to_end();
	int failures = 0;
	for (std::size_t i = 0; i < jobs.size(); ++i) {
		auto *const job = s.f.sink.answer(jobs[i]);
		REQUIRE(job != nullptr);
		if (job->failure) {
			++failures;
			CHECK(job->failure->os_errno == EIO);
			CHECK(job->failure->device == "/fake/disk");
		} else
			CHECK(job->sha1 == s.pristine_sha1(static_cast<int>(i)));
	}
	CHECK(failures == 1);
	CHECK(s.f.stats.queue_depth == 0);
}

TEST_CASE("a check takes little of a full cache, and nothing is refused for it")
{
	scan_fixture s(1024);
	auto const target = s.plain(16);
	for (int piece = 0; piece < 14; ++piece) {
		for (std::uint32_t block = 0; block < 64; ++block)
			s.f.sink.drop(s.f.read(target, piece, block * block_bytes, block_bytes));
	}
	auto const cached = s.f.stats.blocks_clean.load();
	CHECK(cached > 700);
	auto const verified = [&] {
		std::vector<std::size_t> jobs;
		for (int piece = 0; piece < 16; ++piece)
			jobs.push_back(s.f.hash(target, piece, true));
		return jobs;
	}();
	s.f.engine.end_of_batch();
	s.run_to_end();
	for (std::size_t i = 0; i < verified.size(); ++i)
		CHECK(s.f.done(verified[i]).sha1 == s.pristine_sha1(static_cast<int>(i)));
	CHECK(s.f.stats.blocks_clean + 256 >= cached);
}

TEST_CASE("where others hold all memory a check goes on through a buffer of the partition's own")
{
	scan_fixture s(256);
	auto const target = s.plain(4);
	std::vector<block_ref> hoard;
	while (auto block = s.f.arena->allocate(block_purpose::receive))
		hoard.push_back(std::move(block));
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch();
	s.run_to_end();
	for (std::size_t i = 0; i < jobs.size(); ++i)
		CHECK(s.f.done(jobs[i]).sha1 == s.pristine_sha1(static_cast<int>(i)));
}

TEST_CASE("where hashers hold all memory a check waits for them without turning round")
{
	scan_fixture s(600);
	auto const target = s.plain(16);
	auto const jobs = s.check_all(target);
	std::vector<block_ref> hoard;
	for (int i = 0; i < 300; ++i)
		hoard.push_back(s.f.arena->allocate(block_purpose::receive));
	int rounds = 0;
	for (; s.f.engine.next_deadline() || rounds == 0; ++rounds) {
		REQUIRE(rounds < 10);
		s.f.engine.end_of_batch();
	}
	CHECK(s.f.is_open(jobs[0]));
	auto const wakes = s.wakes.load();
	s.hashers.run_all();
	CHECK(s.wakes > wakes);
	s.f.engine.end_of_batch();
	s.run_to_end();
	for (auto const job : jobs)
		s.f.done(job);
}

TEST_CASE("a drain ends when all that was to be checked is hashed")
{
	scan_fixture s;
	auto const target = s.plain(16);
	auto const jobs = s.check_all(target);
	int tries = 0;
	while (!s.f.engine.drain()) {
		REQUIRE(++tries < 100);
		s.hashers.run_all();
	}
	for (auto const job : jobs)
		s.f.done(job);
	CHECK(s.f.arena->used_blocks() == 0);
}

TEST_CASE("stop ends what is being checked as aborted")
{
	scan_fixture s;
	auto const target = s.plain(4);
	auto const jobs = s.check_all(target);
	s.f.engine.end_of_batch();
	CHECK(s.f.engine.stop());
	s.hashers.run_all();
	for (auto const job : jobs)
		CHECK(s.f.failed(job).code == errc::aborted);
	CHECK(s.f.stats.queue_depth == 0);
}
