#include "tests/bt/disk_fixture.hpp"
#include "tests/support/test_seed.hpp"

#include <libtorrent/hasher.hpp>
#include <libtorrent/peer_request.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <thread>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr int block = 16 * 1024;

/// Reads, writes, hashes and clears random places as libtorrent would, and compares every answer with what
/// had been written when it was asked for.
class random_peers
{
public:
	random_peers(adapter_fixture &fixture, std::uint64_t seed)
		: m_fixture(fixture), m_random(seed), m_bytes(disk_fixture::total_bytes)
	{
		auto const pristine = fixture.device().bytes(0, disk_fixture::total_bytes);
		std::memcpy(m_bytes.data(), pristine.data(), pristine.size());
	}

	void step()
	{
		auto const piece =
			static_cast<int>(m_random() % static_cast<unsigned>(m_fixture.files().num_pieces()));
		auto const size = m_fixture.files().piece_size(lt::piece_index_t{piece});
		auto const start = static_cast<int>(m_random() % static_cast<unsigned>(size)) / block * block;
		auto const length = std::min(block, size - start);
		lt::peer_request const where{lt::piece_index_t{piece}, start, length};
		auto const job = begin_job();
		switch (m_random() % 8) {
		case 0:
		case 1:
			return hash(job, piece, size);
		case 2:
			return m_fixture.disk().async_clear_piece(m_fixture.index(), lt::piece_index_t{piece},
				[this, job](lt::piece_index_t) { end_job(job); });
		case 3:
		case 4:
		case 5:
			return read(job, where);
		default:
			return write(job, where);
		}
	}

	std::size_t open_jobs() const { return m_answers.size() - m_ended; }
	/// Read by any thread.
	std::atomic<std::size_t> const &ended() const { return m_ended; }
	std::string const &wrong() const { return m_wrong; }
	bool is_each_answered_once() const
	{
		return std::all_of(m_answers.begin(), m_answers.end(), [](int answers) { return answers == 1; });
	}
	bool is_on_device() const
	{
		auto const bytes = m_fixture.device().bytes(0, disk_fixture::total_bytes);
		return std::memcmp(bytes.data(), m_bytes.data(), bytes.size()) == 0;
	}

private:
	std::size_t begin_job()
	{
		m_answers.push_back(0);
		return m_answers.size() - 1;
	}
	void end_job(std::size_t job)
	{
		++m_answers[job];
		++m_ended;
		m_ended.notify_all();
	}
	void complain(std::size_t job, char const *what)
	{
		m_wrong += "job " + std::to_string(job) + ' ' + what + "; ";
	}
	char *at(lt::peer_request const &where)
	{
		return m_bytes.data() + static_cast<int>(where.piece) * disk_fixture::piece_bytes + where.start;
	}

	void read(std::size_t job, lt::peer_request const &where)
	{
		m_fixture.disk().async_read(m_fixture.index(), where,
			[this, job, want = std::string(at(where), static_cast<std::size_t>(where.length))](
				lt::disk_buffer_holder buffer, lt::storage_error const &e) {
				if (e)
					complain(job, "did not read");
				else if (std::memcmp(buffer.data(), want.data(), want.size()) != 0)
					complain(job, "read something else");
				end_job(job);
			});
	}
	void write(std::size_t job, lt::peer_request const &where)
	{
		auto *const bytes = at(where);
		for (int i = 0; i < where.length; i += 4) {
			auto const word = static_cast<std::uint32_t>(m_random());
			std::memcpy(
				bytes + i, &word, std::min<std::size_t>(4, static_cast<std::size_t>(where.length - i)));
		}
		m_fixture.disk().async_write(
			m_fixture.index(), where, bytes, nullptr, [this, job](lt::storage_error const &e) {
				if (e)
					complain(job, "did not write");
				end_job(job);
			});
	}
	void hash(std::size_t job, int piece, int size)
	{
		auto const want = lt::hasher(at({lt::piece_index_t{piece}, 0, size}), size).final();
		m_fixture.disk().async_hash(m_fixture.index(), lt::piece_index_t{piece}, {},
			lt::disk_interface::v1_hash,
			[this, job, want](lt::piece_index_t, lt::sha1_hash const &got, lt::storage_error const &e) {
				if (e || got != want)
					complain(job, "hashed something else");
				end_job(job);
			});
	}

	adapter_fixture &m_fixture;
	std::mt19937_64 m_random;
	std::vector<char> m_bytes; ///< what the device holds in the end
	std::vector<int> m_answers;
	std::atomic<std::size_t> m_ended{0};
	std::string m_wrong;
};

} // namespace

TEST_CASE("the number of partitions changes under full load and nobody notices", "[live-partitions]")
{
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	adapter_fixture::options options;
	options.partitions = 1;
	adapter_fixture fixture(options);
	random_peers peers(fixture, seed);

	std::vector<std::uint32_t> const counts{4, 2, 16, 1};
	std::atomic<bool> is_over{false};
	std::string failed;
	std::thread operator_thread([&] {
		for (auto const count : counts) {
			// In the middle of the traffic: after another burst of answers.
			for (auto const from = peers.ended().load(); peers.ended().load() < from + 300;)
				peers.ended().wait(peers.ended().load());
			if (auto const changed = fixture.partitions().resize(count, fixture.limits()); !changed)
				failed += to_string(changed.failure()) + "; ";
			if (fixture.partitions().size() != count)
				failed += "not " + std::to_string(count) + "; ";
		}
		is_over = true;
	});
	while (!is_over) {
		for (int i = 0; i < 16; ++i)
			peers.step();
		fixture.disk().submit_jobs();
		// While the partitions change nothing need come back.
		CHECK(fixture.run_until([&] { return peers.open_jobs() < 200; }));
	}
	operator_thread.join();
	CHECK(failed == "");
	CHECK(fixture.run_until([&] { return peers.open_jobs() == 0; }));
	fixture.shut_down();
	CHECK(peers.wrong() == "");
	CHECK(peers.is_each_answered_once());
	CHECK(peers.is_on_device());
	CHECK(fixture.errors().empty());
	CHECK(fixture.partitions().numbers().active.size() == 1);
	CHECK(fixture.partitions().numbers().ended.size() == 15);
	CHECK(fixture.arena().used_blocks() == 0);
}

TEST_CASE("a change that does not come about in time leaves everything as it was", "[live-partitions]")
{
	adapter_fixture::options options;
	options.arena_blocks = 256;
	options.drain_time = std::chrono::milliseconds(50);
	adapter_fixture fixture(options);
	// A read that finds no block waits for one, and so does the change.
	std::vector<block_ref> hoard;
	while (auto taken = fixture.arena().allocate(block_purpose::receive))
		hoard.push_back(std::move(taken));
	bool is_read = false;
	fixture.disk().async_read(fixture.index(), {lt::piece_index_t{2}, 0, block},
		[&](lt::disk_buffer_holder buffer, lt::storage_error const &e) {
			CHECK_FALSE(e);
			auto const want = fixture.device().bytes(2U * disk_fixture::piece_bytes, block);
			CHECK(std::memcmp(buffer.data(), want.data(), want.size()) == 0);
			is_read = true;
		});
	fixture.disk().submit_jobs();
	auto const changed = fixture.partitions().resize(5, fixture.limits());
	REQUIRE_FALSE(changed);
	CHECK(changed.failure().code == errc::timed_out);
	CHECK(fixture.partitions().size() == 3);
	CHECK_FALSE(is_read);
	hoard.clear();
	CHECK(fixture.run_until([&] { return is_read; }));
	CHECK(fixture.partitions().resize(5, fixture.limits()));
	CHECK(fixture.partitions().size() == 5);
}

TEST_CASE(
	"a partition whose device does not flush stays, and the sync that follows says why", "[live-partitions]")
{
	adapter_fixture fixture;
	std::vector<char> const bytes(block, 'x');
	int answers = 0;
	for (int piece = 0; piece < 3; ++piece)
		fixture.disk().async_write(fixture.index(), {lt::piece_index_t{piece}, 0, block}, bytes.data(),
			nullptr, [&](lt::storage_error const &e) {
				CHECK_FALSE(e);
				++answers;
			});
	fixture.disk().submit_jobs();
	fixture.device().faults().always(device_call::flush, {fault::kind::fail, EIO});
	auto const changed = fixture.partitions().resize(1, fixture.limits());
	REQUIRE_FALSE(changed);
	CHECK(changed.failure().os_errno == EIO);
	CHECK(fixture.partitions().size() == 3);
	CHECK(fixture.run_until([&] { return answers == 3; }));
	fixture.shut_down();
	REQUIRE_FALSE(fixture.errors().empty());
	CHECK(fixture.errors().front().os_errno == EIO);
}
