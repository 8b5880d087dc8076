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
	random_peers(adapter_fixture &fixture, std::size_t storage, std::uint64_t seed)
		: m_fixture(fixture), m_storage(storage), m_random(seed), m_bytes(disk_fixture::total_bytes)
	{
		auto const pristine = fixture.device_of(storage).bytes(0, disk_fixture::total_bytes);
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
			return m_fixture.disk().async_clear_piece(m_fixture.index_of(m_storage), lt::piece_index_t{piece},
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
		auto const bytes = m_fixture.device_of(m_storage).bytes(0, disk_fixture::total_bytes);
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
		m_fixture.disk().async_read(m_fixture.index_of(m_storage), where,
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
			m_fixture.index_of(m_storage), where, bytes, nullptr, [this, job](lt::storage_error const &e) {
				if (e)
					complain(job, "did not write");
				end_job(job);
			});
	}
	void hash(std::size_t job, int piece, int size)
	{
		auto const want = lt::hasher(at({lt::piece_index_t{piece}, 0, size}), size).final();
		m_fixture.disk().async_hash(m_fixture.index_of(m_storage), lt::piece_index_t{piece}, {},
			lt::disk_interface::v1_hash,
			[this, job, want](lt::piece_index_t, lt::sha1_hash const &got, lt::storage_error const &e) {
				if (e || got != want)
					complain(job, "hashed something else");
				end_job(job);
			});
	}

	adapter_fixture &m_fixture;
	std::size_t m_storage;
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
	auto const other = fixture.add_device("/dev/fake1");
	random_peers peers(fixture, 0, seed);
	random_peers other_peers(fixture, other, seed + 1);

	std::vector<std::uint32_t> const counts{4, 2, 16, 1};
	std::atomic<bool> is_over{false};
	std::string failed;
	std::thread operator_thread([&] {
		for (auto const count : counts) {
			// In the middle of the traffic: after another burst of answers.
			for (auto const from = peers.ended().load(); peers.ended().load() < from + 300;)
				peers.ended().wait(peers.ended().load());
			auto const changed = fixture.partitions().resize(fixture.budget(count));
			if (changed.failure)
				failed += to_string(*changed.failure) + "; ";
			if (fixture.partitions_of(0) != count || fixture.partitions_of(other) != count)
				failed += "not " + std::to_string(count) + "; ";
		}
		is_over = true;
	});
	while (!is_over) {
		for (int i = 0; i < 16; ++i) {
			peers.step();
			other_peers.step();
		}
		fixture.disk().submit_jobs();
		// While the partitions change nothing need come back.
		CHECK(fixture.run_until([&] { return peers.open_jobs() < 200 && other_peers.open_jobs() < 200; }));
	}
	operator_thread.join();
	CHECK(failed == "");
	CHECK(fixture.run_until([&] { return peers.open_jobs() + other_peers.open_jobs() == 0; }));
	fixture.shut_down();
	for (auto const *one : {&peers, &other_peers}) {
		CHECK(one->wrong() == "");
		CHECK(one->is_each_answered_once());
		CHECK(one->is_on_device());
	}
	CHECK(fixture.errors().empty());
	// The last to let go of a device may be a partition.
	CHECK(fixture.run_until([&] { return fixture.retired() == 2 * (2 + 15 + 1); }));
	CHECK(fixture.partitions().numbers().partitions.empty());
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
	auto const changed = fixture.partitions().resize(fixture.budget(5));
	CHECK_FALSE(changed.is_in_force);
	REQUIRE(changed.failure);
	CHECK(changed.failure->code == errc::timed_out);
	CHECK(fixture.partitions_of(0) == 3);
	// Nor does a device that comes later get another number.
	CHECK(fixture.partitions_of(fixture.add_device("/dev/fake1")) == 3);
	CHECK_FALSE(is_read);
	hoard.clear();
	CHECK(fixture.run_until([&] { return is_read; }));
	CHECK_FALSE(fixture.partitions().resize(fixture.budget(5)).failure);
	CHECK(fixture.partitions_of(0) == 5);
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
	auto const changed = fixture.partitions().resize(fixture.budget(1));
	CHECK_FALSE(changed.is_in_force);
	REQUIRE(changed.failure);
	CHECK(changed.failure->os_errno == EIO);
	CHECK(fixture.partitions_of(0) == 3);
	CHECK(fixture.run_until([&] { return answers == 3; }));
	fixture.shut_down();
	REQUIRE_FALSE(fixture.errors().empty());
	CHECK(fixture.errors().front().os_errno == EIO);
}

TEST_CASE("a device that hangs does not keep the others from changing", "[live-partitions]")
{
	adapter_fixture fixture;
	auto const other = fixture.add_device("/dev/fake1");
	std::vector<char> const bytes(block, 'x');
	int answers = 0;
	auto const write = [&](std::size_t storage) {
		fixture.disk().async_write(fixture.index_of(storage), {lt::piece_index_t{0}, 0, block}, bytes.data(),
			nullptr, [&](lt::storage_error const &e) {
				CHECK_FALSE(e);
				++answers;
			});
		fixture.disk().submit_jobs();
	};
	fixture.device().faults().hang(device_call::write);
	write(0);
	partition_change changed;
	std::atomic<bool> is_changed{false};
	std::thread operator_thread([&] {
		changed = fixture.partitions().resize(fixture.budget(5));
		is_changed = true;
	});
	// The hanging one is still awaited when the other has changed and goes on.
	CHECK(fixture.run_until([&] { return fixture.partitions_of(other) == 5; }));
	write(other);
	CHECK(fixture.run_until([&] { return answers == 1; }));
	CHECK_FALSE(is_changed);
	CHECK(fixture.partitions_of(0) == 3);
	fixture.device().faults().go_on();
	operator_thread.join();
	CHECK(changed.is_in_force);
	CHECK_FALSE(changed.failure);
	CHECK(fixture.partitions_of(0) == 5);
	CHECK(fixture.run_until([&] { return answers == 2; }));
}

TEST_CASE("a device that does not follow keeps its partitions, and the answer names it", "[live-partitions]")
{
	adapter_fixture::options options;
	options.drain_time = std::chrono::milliseconds(50);
	adapter_fixture fixture(options);
	auto const other = fixture.add_device("/dev/fake1");
	std::vector<char> const bytes(block, 'x');
	int answers = 0;
	fixture.device().faults().hang(device_call::write);
	fixture.disk().async_write(fixture.index(), {lt::piece_index_t{0}, 0, block}, bytes.data(), nullptr,
		[&](lt::storage_error const &) { ++answers; });
	fixture.disk().submit_jobs();
	auto const changed = fixture.partitions().resize(fixture.budget(1));
	CHECK(changed.is_in_force);
	REQUIRE(changed.failure);
	CHECK(changed.failure->code == errc::timed_out);
	CHECK(changed.failure->message.find("/dev/fake0 keeps 3 partitions") != std::string::npos);
	CHECK(fixture.partitions_of(0) == 3);
	CHECK(fixture.partitions_of(other) == 1);
	fixture.device().faults().go_on();
	CHECK(fixture.run_until([&] { return answers == 1; }));
	// Asked again, it follows.
	CHECK_FALSE(fixture.partitions().resize(fixture.budget(1)).failure);
	CHECK(fixture.partitions_of(0) == 1);
}

TEST_CASE(
	"the partitions of a device end with its last storage, and what they counted stays", "[live-partitions]")
{
	adapter_fixture fixture;
	auto const other = fixture.add_device("/dev/fake1");
	CHECK(fixture.partitions().numbers().partitions.size() == 6);
	std::vector<char> const bytes(block, 'x');
	int answers = 0;
	fixture.disk().async_write(fixture.index_of(other), {lt::piece_index_t{0}, 0, block}, bytes.data(),
		nullptr, [&](lt::storage_error const &) { ++answers; });
	fixture.disk().submit_jobs();
	fixture.remove_device();
	CHECK(answers == 1);
	// The last to let go may be a partition.
	CHECK(fixture.run_until([&] { return fixture.retired() == 3; }));
	auto const numbers = fixture.partitions().numbers();
	REQUIRE(numbers.devices.size() == 1);
	CHECK(numbers.devices[0].name == "/dev/fake0");
	CHECK(numbers.partitions.size() == 3);
	CHECK(numbers.ended_partitions->write_bytes == block);
	// It may come back.
	CHECK(fixture.partitions_of(fixture.add_device("/dev/fake1")) == 3);
	CHECK(fixture.partitions().numbers().partitions.back().stats->write_bytes == 0);
}
