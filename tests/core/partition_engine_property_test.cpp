#include "tests/core/engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

using namespace ezio;
using namespace ezio::test;

namespace
{

std::uint64_t test_seed()
{
	if (auto const *const given = std::getenv("EZIO_TEST_SEED"))
		return std::strtoull(given, nullptr, 10);
	return std::random_device{}();
}

/// The payload of one storage as it must be.
struct model {
	std::shared_ptr<storage> target;
	std::vector<std::byte> payload;
};

/// Random jobs on several storages, compared with a plain array of bytes for each.
class random_run
{
public:
	random_run(std::uint64_t seed, engine_limits limits, std::uint32_t capacity_blocks)
		: m_random(seed), m_fixture(limits, capacity_blocks, nullptr, 4 * 1024 * 1024, seed)
	{
		m_fixture.disk->set_queue_depth(below(2) == 0 ? 1 : 8);
		m_fixture.disk->set_direct(below(2) == 0);
		m_fixture.disk->set_rotational(below(4) == 0);
		// Extents of odd lengths at odd places, in an order that is not the device's.
		add({{"200200", 150'001, false}, {"1000", 99'999, false}, {"pad", 12'144, true},
				{"100001", 777, false}},
			64 * 1024);
		add({{"300000", 262'144, false}}, 128 * 1024);
		add({{"40000", 16'384, false}, {"60000", 300'000, false}, {"48000", 5'000, false}}, 32 * 1024);
		m_fixture.sink.on_finished = [this](tracked_job &job) { check(job); };
	}

	void run(std::uint32_t steps)
	{
		for (std::uint32_t step = 0; step < steps; ++step) {
			one_step();
			if (m_fixture.arena->used_blocks() > m_fixture.arena->capacity_blocks())
				m_faults += "the arena exceeded its capacity; ";
			auto const held = m_fixture.stats.blocks_clean + m_fixture.stats.blocks_dirty;
			if (held > m_limit)
				m_faults += "the shard exceeded its share; ";
			if (!m_faults.empty())
				break;
		}
		m_fixture.catch_up();
		CHECK(m_faults == "");
		auto const stopped = m_fixture.engine.stop();
		CHECK(stopped.has_value());
		CHECK(m_faults == "");
		CHECK(m_fixture.sink.faults() == "");
		CHECK(m_fixture.sink.answered() == m_fixture.sink.made());
		m_hoard.clear();
		m_fixture.sink.drop_all();
		CHECK(m_fixture.arena->used_blocks() == 0);
		CHECK(m_fixture.stats.queue_depth == 0);
		CHECK(m_fixture.disk->open_handles() == 0);
		compare_device();
		// Everything was flushed by stop: no power cut can take it back.
		m_fixture.disk->cut_power();
		compare_device();
	}

	void set_limit(std::uint64_t blocks) { m_limit = blocks; }

private:
	void add(std::vector<torrent_file_entry> const &files, std::uint32_t piece_bytes)
	{
		model m;
		m.target = m_fixture.add_storage(files, piece_bytes);
		m.payload.resize(m.target->pieces().total_bytes);
		m.target->extents().for_each_segment({0, m.payload.size()}, [&](extent_segment const &s) {
			for (std::uint64_t i = 0; i < s.length_bytes && !s.is_pad; ++i)
				m.payload[s.payload_offset_bytes + i] = pristine_byte(s.device_offset_bytes + i);
		});
		m_models.push_back(std::move(m));
	}

	std::uint32_t below(std::uint64_t bound) { return static_cast<std::uint32_t>(m_random() % bound); }

	model &model_of(disk_job const &job) { return m_models[to_int(job.target->id()) - 1]; }

	void one_step()
	{
		auto &m = m_models[below(m_models.size())];
		auto const piece = piece_index{
			static_cast<std::int32_t>(below(static_cast<std::uint64_t>(m.target->pieces().piece_count())))};
		auto const size = m.target->pieces().piece_size(piece);
		switch (below(20)) {
		case 0:
			m_fixture.clock.advance(std::chrono::milliseconds(below(200)));
			m_fixture.engine.end_of_batch();
			return;
		case 1:
			return m_fixture.engine.flush_all();
		case 2:
			if (m_hoard.size() < 8)
				m_hoard.push_back(m_fixture.arena->allocate(block_purpose::receive));
			else
				m_hoard.clear();
			return;
		case 3:
			return submit(m_fixture.sink.make_job(job_kind::sync, m.target));
		case 4:
			if (below(4) == 0)
				return submit(m_fixture.sink.make_job(job_kind::release, m.target));
			return submit(of_piece(job_kind::clear_piece, m, piece));
		case 5:
		case 6: {
			auto job = of_piece(job_kind::hash_piece, m, piece);
			job->want_sha1 = true;
			job->want_block_sha256 = true;
			job->sha256_bytes = size;
			job->bypass_cache = below(2) == 0;
			job->is_volatile = below(2) == 0;
			return submit(std::move(job));
		}
		case 7: {
			if (below(2) == 0) {
				auto job = of_piece(job_kind::warm, m, piece);
				job->offset_bytes = below(m.target->pieces().blocks_in_piece(piece)) * block_bytes;
				job->length_bytes = 1 + below(size - job->offset_bytes);
				return submit(std::move(job));
			}
			auto job = of_piece(job_kind::hash_block, m, piece);
			job->offset_bytes = below(m.target->pieces().blocks_in_piece(piece)) * block_bytes;
			return submit(std::move(job));
		}
		case 8:
		case 9:
		case 10:
		case 11:
		case 12: {
			auto job = of_piece(job_kind::read, m, piece);
			job->offset_bytes = below(3) == 0 ? below(size) : below(size) / block_bytes * block_bytes;
			auto const most = std::min(block_bytes, size - job->offset_bytes);
			job->length_bytes = below(2) == 0 ? most : 1 + below(most);
			job->is_volatile = below(4) == 0;
			return submit(std::move(job));
		}
		case 13: // a whole piece
			for (std::uint32_t i = 0; i < m.target->pieces().blocks_in_piece(piece); ++i)
				write(m, piece, i);
			return;
		default:
			return write(m, piece, below(m.target->pieces().blocks_in_piece(piece)));
		}
	}

	std::unique_ptr<tracked_job> of_piece(job_kind kind, model const &m, piece_index piece)
	{
		auto job = m_fixture.sink.make_job(kind, m.target);
		job->piece = piece;
		return job;
	}

	void write(model &m, piece_index piece, std::uint32_t index)
	{
		auto block = m_fixture.arena->allocate(block_purpose::receive);
		if (!block) {
			m_fixture.engine.flush_all();
			m_fixture.engine.end_of_batch();
			return;
		}
		auto job = of_piece(job_kind::write, m, piece);
		job->offset_bytes = index * block_bytes;
		job->length_bytes = std::min(block_bytes, m.target->pieces().piece_size(piece) - job->offset_bytes);
		for (std::uint32_t i = 0; i < job->length_bytes; i += 8) {
			auto const word = m_random();
			std::memcpy(block.data() + i, &word, std::min<std::size_t>(8, block_bytes - i));
		}
		auto const at = m.target->pieces().piece_offset(piece) + job->offset_bytes;
		// Nobody sends data for padding: it stays zero.
		m.target->extents().for_each_segment({at, job->length_bytes}, [&](extent_segment const &s) {
			if (s.is_pad)
				std::memset(block.data() + (s.payload_offset_bytes - at), 0, s.length_bytes);
		});
		std::memcpy(m.payload.data() + at, block.data(), job->length_bytes);
		job->block = std::move(block);
		submit(std::move(job));
	}

	/// What is read or hashed must be what the payload is now, whenever the answer comes.
	void submit(std::unique_ptr<tracked_job> job)
	{
		if (job->kind == job_kind::read || job->kind == job_kind::hash_piece) {
			auto const at = model_of(*job).payload.begin() +
				static_cast<std::ptrdiff_t>(job->target->pieces().piece_offset(job->piece));
			m_expected[job->number].assign(at, at + job->target->pieces().piece_size(job->piece));
		}
		m_fixture.process(std::move(job));
	}

	void check(tracked_job &job)
	{
		auto const name = "job " + std::to_string(job.number);
		if (job.failure) {
			// Only reads that were waiting when their blocks were forgotten may end like this.
			if (job.kind != job_kind::read || job.failure->code != errc::aborted)
				m_faults += name + " failed: " + to_string(*job.failure) + "; ";
			return;
		}
		if (job.kind == job_kind::warm && job.cached_bytes > job.length_bytes)
			m_faults += name + " cached more than it was asked to; ";
		auto const &m = model_of(job);
		auto const at = m.target->pieces().piece_offset(job.piece);
		std::span<std::byte const> const payload = m.payload;
		auto const known = m_expected.extract(job.number);
		if (job.kind == job_kind::read) {
			auto const *const bytes = job.block.data() + job.block_offset_bytes;
			auto const equals = [&](std::byte const *wanted) {
				return std::memcmp(bytes, wanted + job.offset_bytes, job.length_bytes) == 0;
			};
			// One that waited for a block may have seen a later write.
			if (!equals(known.mapped().data()) && !equals(payload.data() + at))
				m_faults += name + " read wrong bytes; ";
			if (job.number % 3 != 0)
				job.block = {};
		} else if (job.kind == job_kind::hash_piece) {
			std::span<std::byte const> const piece = known.mapped();
			if (job.sha1 != sha1_of(piece))
				m_faults += name + " hashed wrong bytes; ";
			auto const last = (job.block_sha256.size() - 1) * block_bytes;
			if (job.block_sha256.size() != m.target->pieces().blocks_in_piece(job.piece) ||
				job.block_sha256.back() != sha256_of(piece.subspan(last)))
				m_faults += name + " has wrong block hashes; ";
		} else if (job.kind == job_kind::hash_block) {
			auto const left = m.target->pieces().piece_size(job.piece) - job.offset_bytes;
			if (job.block_sha256.size() != 1 ||
				job.block_sha256[0] !=
					sha256_of(payload.subspan(at + job.offset_bytes, std::min(block_bytes, left))))
				m_faults += name + " hashed a wrong block; ";
		} else if (job.kind == job_kind::write && job.number % 50 == 0) {
			m_hoard.clear();
		}
		if (++m_answers % 16 == 0)
			m_drop = job.number;
		for (; m_dropped < m_drop; ++m_dropped)
			m_fixture.sink.drop(m_dropped);
	}

	void compare_device()
	{
		auto const all = m_fixture.disk->bytes(0, m_fixture.disk->geometry().size_bytes);
		auto expected = pristine(0, all.size());
		for (auto const &m : m_models) {
			m.target->extents().for_each_segment({0, m.payload.size()}, [&](extent_segment const &s) {
				if (!s.is_pad)
					std::memcpy(expected.data() + s.device_offset_bytes,
						m.payload.data() + s.payload_offset_bytes, s.length_bytes);
			});
		}
		auto const differs = std::mismatch(all.begin(), all.end(), expected.begin()).first;
		INFO("first difference at device offset " << (differs - all.begin()));
		CHECK(differs == all.end());
	}

	std::mt19937_64 m_random;
	engine_fixture m_fixture;
	std::vector<model> m_models;
	std::vector<block_ref> m_hoard;
	std::map<std::size_t, std::vector<std::byte>> m_expected; ///< the piece of each open job
	std::string m_faults;
	std::uint64_t m_limit = ~std::uint64_t{0};
	std::size_t m_answers = 0;
	std::size_t m_drop = 0;
	std::size_t m_dropped = 0;
};

} // namespace

TEST_CASE("random jobs give what a plain array of bytes gives, whatever the limits")
{
	auto const seed = test_seed();
	std::cout << "EZIO_TEST_SEED=" << seed << '\n';
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	for (int round = 0; round < 12; ++round) {
		engine_limits limits;
		limits.coalesce_bytes = random() % 6 == 0 ? 0 : (1U << (random() % 8)) * block_bytes;
		limits.prefetch_bytes = static_cast<std::uint32_t>(random() % 12) * block_bytes;
		limits.cache_blocks_max = std::array<std::uint32_t, 5>{0, 1, 7, 40, 4096}[random() % 5];
		auto const capacity = std::array<std::uint32_t, 4>{16, 32, 64, 1024}[random() % 4];
		INFO("round " << round << " coalesce " << limits.coalesce_bytes << " prefetch "
					  << limits.prefetch_bytes << " share " << limits.cache_blocks_max << " capacity "
					  << capacity);
		random_run run(random(), limits, capacity);
		run.set_limit(limits.cache_blocks_max);
		run.run(600);
	}
}
