#include "tests/core/engine_fixture.hpp"
#include "tests/support/test_seed.hpp"

#include "actors/core/piece_digest.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <random>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr std::uint32_t piece_bytes = 64 * 1024;

/// How many downloads with a fault each; EZIO_FAULT_RUNS asks for more than the few of an ordinary test.
std::uint64_t runs_wanted()
{
	auto const *const given = std::getenv("EZIO_FAULT_RUNS");
	return given != nullptr ? std::strtoull(given, nullptr, 10) : 300;
}

struct tally {
	std::uint64_t played = 0;
	std::uint64_t failed = 0;         ///< syncs that told of a fault
	std::uint64_t false_finished = 0; ///< a sync succeeded, and a power cut took something
	std::uint64_t lied = 0;           ///< downloads whose device answered success and stored something else
	std::uint64_t false_verified = 0; ///< the hash of what is not right is, or the other way round
};

/// One download of five pieces in an order of chance, with one fault at a device call of chance, then a sync,
/// a power cut and a verification.
class chance_run
{
public:
	chance_run(std::uint64_t seed, fault f, std::optional<device_call> kind)
		: m_random(seed), m_fixture(limits(), 96, nullptr, 1024 * 1024, seed)
	{
		m_fixture.disk->set_queue_depth(below(2) == 0 ? 1 : 8);
		m_storage = m_fixture.add_storage({{"1000", 100'000, false}, {"80000", 190'000, false}}, piece_bytes);
		m_payload.resize(m_storage->pieces().total_bytes);
		auto const call = below(kind == device_call::flush ? 3 : 25);
		if (kind)
			m_fixture.faults->at_call_of(*kind, call, f);
		else
			m_fixture.faults->at_call(call, f);
	}

	void run(bool is_lying, tally &into)
	{
		write_everything();
		auto const last = m_fixture.control(job_kind::sync, m_storage);
		bool const is_synced = !m_fixture.sink.answer(last)->failure;
		bool const is_played = m_fixture.faults->played() > 0;
		m_fixture.faults->switch_off();
		m_fixture.disk->cut_power();
		bool const is_right = payload_on_device() == m_payload;
		into.played += is_played ? 1 : 0;
		into.failed += is_synced ? 0 : 1;
		if (is_lying)
			into.lied += is_right ? 0 : 1;
		else
			into.false_finished += is_synced && !is_right ? 1 : 0;
		if (is_synced)
			verify(into);
		(void)m_fixture.engine.stop(); // fails after a fault; what counts is what was answered
		CHECK(m_fixture.sink.faults() == "");
		CHECK(m_fixture.sink.answered() == m_fixture.sink.made());
		CHECK(m_fixture.disk->open_handles() == 0);
		m_fixture.sink.drop_all();
		CHECK(m_fixture.arena->used_blocks() == 0);
	}

private:
	static engine_limits limits()
	{
		engine_limits l;
		l.coalesce_bytes = 2 * block_bytes;
		l.cache_blocks_max = 6;
		return l;
	}
	std::uint32_t below(std::uint64_t bound) { return static_cast<std::uint32_t>(m_random() % bound); }

	void write_everything()
	{
		std::vector<std::pair<int, std::uint32_t>> blocks;
		for (int piece = 0; piece < m_storage->pieces().piece_count(); ++piece)
			for (std::uint32_t i = 0; i < m_storage->pieces().blocks_in_piece(piece_index{piece}); ++i)
				blocks.emplace_back(piece, i);
		std::shuffle(blocks.begin(), blocks.end(), m_random);
		// Some come twice; the newer one counts.
		for (std::size_t again = below(4); again > 0; --again)
			blocks.push_back(blocks[below(blocks.size())]);
		for (auto const &[piece, index] : blocks) {
			auto const value = static_cast<std::byte>(1 + below(255));
			auto const at = static_cast<std::size_t>(piece) * piece_bytes + index * block_bytes;
			auto const size = std::min<std::size_t>(block_bytes, m_payload.size() - at);
			std::fill_n(m_payload.begin() + static_cast<std::ptrdiff_t>(at), size, value);
			m_fixture.write(m_storage, piece, index, value);
			if (below(8) == 0)
				m_fixture.control(job_kind::sync, m_storage);
			if (below(4) == 0)
				m_fixture.read(m_storage, piece, 0, 100);
			if (below(4) == 0)
				m_fixture.engine.end_of_batch();
		}
	}

	std::vector<std::byte> payload_on_device()
	{
		std::vector<std::byte> payload;
		m_storage->extents().for_each_segment({0, m_payload.size()}, [&](extent_segment const &s) {
			auto const part = m_fixture.disk->bytes(s.device_offset_bytes, s.length_bytes);
			payload.insert(payload.end(), part.begin(), part.end());
		});
		return payload;
	}

	/// Hashes around the cache: what is said of a piece must be true of the device.
	void verify(tally &into)
	{
		auto const on_device = payload_on_device();
		for (int piece = 0; piece < m_storage->pieces().piece_count(); ++piece) {
			auto const at = static_cast<std::size_t>(piece) * piece_bytes;
			auto const size = m_storage->pieces().piece_size(piece_index{piece});
			auto const number = m_fixture.hash(m_storage, piece, true);
			m_fixture.catch_up();
			auto const want = sha1_of(std::span(m_payload).subspan(at, size));
			bool const is_right = std::equal(m_payload.begin() + static_cast<std::ptrdiff_t>(at),
				m_payload.begin() + static_cast<std::ptrdiff_t>(at + size),
				on_device.begin() + static_cast<std::ptrdiff_t>(at));
			into.false_verified += (m_fixture.done(number).sha1 == want) == is_right ? 0 : 1;
		}
	}

	std::mt19937_64 m_random;
	engine_fixture m_fixture;
	std::shared_ptr<storage> m_storage;
	std::vector<std::byte> m_payload; ///< as it must be
};

tally play(fault f, std::optional<device_call> kind, bool is_lying)
{
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	tally seen;
	for (std::uint64_t i = 0; i < runs_wanted(); ++i)
		chance_run(seed + i, f, kind).run(is_lying, seen);
	CHECK(seen.false_finished == 0);
	CHECK(seen.false_verified == 0);
	if (std::getenv("EZIO_FAULT_RUNS") != nullptr)
		std::cout << "played " << seen.played << " failed " << seen.failed << " false-finished "
				  << seen.false_finished << " lied " << seen.lied << " false-verified " << seen.false_verified
				  << " seed " << seed << "\n";
	CHECK(seen.played > runs_wanted() / 4);
	return seen;
}

} // namespace

TEST_CASE("whatever call fails by chance, what a sync called durable survives a power cut", "[chance]")
{
	auto const f = GENERATE(fault{fault::kind::fail, EIO, 0}, fault{fault::kind::end, 0, 1000},
		fault{fault::kind::torn, ENOSPC, 5000});
	auto const kind = GENERATE(std::optional(device_call::write), std::optional(device_call::flush));
	auto const seen = play(f, kind, false);
	// None of them is hidden from a sync.
	CHECK(seen.failed == seen.played);
}

TEST_CASE("what a device lost or spoilt without a word is found by a hash of the device", "[chance]")
{
	auto const f = GENERATE(fault{fault::kind::lose, 0, 0}, fault{fault::kind::flip_bit, 0, 0});
	auto const seen = play(f, device_call::write, true);
	CHECK(seen.lied > 0);
}
