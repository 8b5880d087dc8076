#include "actors/core/job_router.hpp"

#include "tests/core/engine_fixture.hpp"
#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <random>

using namespace ezio;
using namespace ezio::test;

namespace
{

/// Keeps what it gets.
struct recording_port final : partition_port {
	void submit(std::vector<job_ptr> batch) override
	{
		for (auto &job : batch)
			jobs.push_back(std::move(job));
		++batches;
	}
	void press() override { ++presses; }
	/// Answers everything, the way that the test wants it.
	void answer_all(std::optional<error> const &failure = std::nullopt, bool is_first = false)
	{
		for (auto &job : std::exchange(jobs, {})) {
			job->failure = failure;
			job->is_first_failure = is_first;
			auto *const sink = job->sink;
			sink->finished(std::move(job));
		}
	}
	std::vector<job_ptr> jobs;
	int batches = 0;
	int presses = 0;
};

struct router_fixture {
	router_fixture() : router(ports_of(ports))
	{
		torrent_file_entry const file{"0", 1024 * 1024, false};
		auto map = make_extents({file});
		target = std::make_shared<storage>(
			storage_id{0}, "aa", piece_geometry{map.payload_bytes(), 64 * 1024}, map, nullptr);
	}
	using fake_ports = std::vector<std::shared_ptr<recording_port>>;
	static partition_ports ports_of(fake_ports const &from) { return {from.begin(), from.end()}; }
	static fake_ports make_ports(std::size_t count)
	{
		fake_ports made(count);
		for (auto &port : made)
			port = std::make_shared<recording_port>();
		return made;
	}
	std::size_t submit(job_kind kind, int piece = 0, bool is_pressed = false)
	{
		auto job = sink.make_job(kind, target);
		auto const number = job->number;
		job->piece = piece_index{piece};
		std::vector<job_ptr> jobs;
		jobs.push_back(std::move(job));
		router.submit(std::move(jobs), is_pressed);
		return number;
	}

	recording_sink sink;
	fake_ports ports = make_ports(3);
	job_router router;
	std::shared_ptr<storage> target;
};

} // namespace

TEST_CASE_METHOD(router_fixture, "jobs of a piece go to one port, in order")
{
	submit(job_kind::clear_piece, 4);
	submit(job_kind::hash_piece, 4);
	submit(job_kind::hash_piece, 5);
	REQUIRE(ports[1]->jobs.size() == 2);
	CHECK(ports[1]->jobs[0]->kind == job_kind::clear_piece);
	CHECK(ports[1]->jobs[1]->kind == job_kind::hash_piece);
	CHECK(ports[2]->jobs.size() == 1);
	CHECK(ports[0]->jobs.empty());
	for (auto const &port : ports)
		port->answer_all();
	CHECK(sink.answered() == 3);
	CHECK(sink.faults() == "");
}

TEST_CASE_METHOD(router_fixture, "a job of a storage ends once, with its last part")
{
	auto const number = submit(job_kind::sync);
	ports[2]->answer_all();
	ports[0]->answer_all();
	CHECK(sink.answer(number) == nullptr);
	ports[1]->answer_all();
	REQUIRE(sink.answer(number) != nullptr);
	CHECK_FALSE(sink.answer(number)->failure);
	CHECK(sink.faults() == "");
}

TEST_CASE_METHOD(router_fixture, "a job of a storage fails with the failure that made the storage fail")
{
	auto const number = submit(job_kind::sync);
	ports[0]->answer_all(make_error(errc::aborted, "an echo"), false);
	ports[1]->answer_all(make_io_error("fdatasync", "/dev/x", 0, 0, EIO), true);
	ports[2]->answer_all(make_error(errc::aborted, "another echo"), false);
	REQUIRE(sink.answer(number)->failure);
	CHECK(sink.answer(number)->failure->os_errno == EIO);
	CHECK(sink.answer(number)->is_first_failure);
}

TEST_CASE_METHOD(router_fixture, "pressed partitions are those that got something")
{
	submit(job_kind::hash_piece, 1, true);
	CHECK(ports[0]->presses == 0);
	CHECK(ports[1]->presses == 1);
	router.press();
	CHECK(ports[0]->presses == 1);
	CHECK(ports[1]->presses == 2);
	ports[1]->answer_all();
}

TEST_CASE_METHOD(router_fixture, "while held, nothing reaches a port; then the new ports get it in order")
{
	router.hold();
	submit(job_kind::clear_piece, 1);
	auto const sync = submit(job_kind::sync);
	submit(job_kind::hash_piece, 1, true);
	router.press();
	for (auto const &port : ports) {
		CHECK(port->batches == 0);
		CHECK(port->presses == 0);
	}
	auto const later = make_ports(2);
	router.release(ports_of(later));
	CHECK(router.partitions() == 2);
	CHECK(ports[1]->batches == 0);
	REQUIRE(later[0]->jobs.size() == 1);
	REQUIRE(later[1]->jobs.size() == 3);
	CHECK(later[1]->jobs[0]->kind == job_kind::clear_piece);
	CHECK(later[1]->jobs[1]->kind == job_kind::sync);
	CHECK(later[1]->jobs[2]->kind == job_kind::hash_piece);
	CHECK(later[0]->presses == 1);
	later[0]->answer_all();
	CHECK(sink.answer(sync) == nullptr);
	later[1]->answer_all();
	CHECK(sink.answered() == 3);
	CHECK(sink.faults() == "");
}

TEST_CASE_METHOD(router_fixture, "a change that is given up goes on with the same ports")
{
	router.hold();
	submit(job_kind::hash_piece, 2);
	router.release();
	CHECK(ports[2]->jobs.size() == 1);
	CHECK(ports[2]->presses == 0);
	ports[2]->answer_all();
}

namespace
{

constexpr std::uint32_t piece_bytes = 64 * 1024;
constexpr std::uint64_t payload_bytes = 37 * piece_bytes + 20'001;

/// What version @p version of a block has at an offset of the payload; 0 is what the disk held before.
std::byte versioned_byte(std::uint32_t version, std::uint64_t offset)
{
	return version == 0 ? pristine_byte(offset)
						: static_cast<std::byte>((version * 131 + offset * 7 + (offset >> 8)) & 0xff);
}

/// Real engines behind the router, moved one message at a time in random order, while the number of them
/// changes under random jobs. Every answer is compared with what was written.
class random_changes
{
public:
	explicit random_changes(std::uint64_t seed, std::uint32_t capacity_blocks)
		: m_random(seed), m_disk(std::make_shared<fake_disk>("/fake/disk", payload_bytes, m_faults)),
		  m_arena(std::move(block_arena::create(capacity_blocks, capacity_blocks)).value()),
		  m_limits{256 * 1024, std::chrono::milliseconds(20), 128 * 1024, capacity_blocks / 8},
		  m_versions((payload_bytes + block_bytes - 1) / block_bytes, {0})
	{
		torrent_file_entry const file{"0", payload_bytes, false};
		m_target = std::make_shared<storage>(storage_id{5}, "aa", piece_geometry{payload_bytes, piece_bytes},
			make_extents({file}), std::make_shared<fake_device_claim>(m_disk));
		m_sink.on_finished = [this](tracked_job &job) { check(job); };
		resize(1);
	}

	void run(std::uint32_t steps)
	{
		for (std::uint32_t step = 0; step < steps && m_wrong.empty(); ++step) {
			auto const dice = below(100);
			if (dice < 40)
				submit_something();
			else if (dice < 90)
				work();
			else if (dice < 93)
				m_hashers.run_all();
			else if (dice < 95)
				m_clock.advance(std::chrono::milliseconds(below(40)));
			else
				change();
		}
		finish();
	}

private:
	struct engine_port final : partition_port {
		struct message {
			std::vector<job_ptr> jobs; ///< empty: press
		};
		engine_port(random_changes &world)
			: engine(*world.m_arena, world.m_hashers, stats, world.m_limits,
				  [&world] { return world.m_clock.now(); })
		{
		}
		~engine_port() override { (void)engine.stop(); }
		void submit(std::vector<job_ptr> jobs) override
		{
			stats.queue_depth += jobs.size();
			mailbox.push_back({std::move(jobs)});
		}
		void press() override { mailbox.push_back({}); }
		void work()
		{
			if (mailbox.empty()) {
				if (is_draining && !is_drained)
					is_drained = engine.drain();
				else
					engine.end_of_batch();
				return;
			}
			auto now = std::move(mailbox.front());
			mailbox.pop_front();
			if (now.jobs.empty())
				engine.flush_all();
			for (auto &job : now.jobs)
				engine.process(std::move(job));
			engine.end_of_batch();
		}

		partition_stats stats;
		partition_engine engine;
		std::deque<message> mailbox;
		bool is_draining = false;
		bool is_drained = false;
	};

	std::uint64_t below(std::uint64_t bound) { return m_random() % bound; }

	void resize(std::size_t count)
	{
		while (m_engines.size() > count) {
			if (!m_engines.back()->engine.close_handles())
				m_wrong += "handles did not close; ";
			m_engines.pop_back();
		}
		while (m_engines.size() < count)
			m_engines.push_back(std::make_shared<engine_port>(*this));
		if (!m_is_changing)
			m_router.hold();
		m_router.release({m_engines.begin(), m_engines.end()});
		m_is_changing = false;
		for (auto const &port : m_engines)
			port->is_draining = port->is_drained = false;
	}

	/// One step of a change: begins it, gives it up now and then, ends it as soon as all are drained.
	void change()
	{
		if (!m_is_changing) {
			m_router.hold();
			m_is_changing = true;
			m_made_before = m_sink.made();
			for (auto const &port : m_engines)
				port->is_draining = true;
			return;
		}
		if (below(10) == 0) {
			for (auto const &port : m_engines)
				port->is_draining = port->is_drained = false;
			m_router.release();
			m_is_changing = false;
			return;
		}
		for (auto const &port : m_engines)
			if (!port->is_drained)
				return;
		for (std::size_t number = 0; number < m_made_before; ++number)
			if (m_sink.answer(number) == nullptr && !is_dropped(number))
				m_wrong += "job " + std::to_string(number) + " is open although all have drained; ";
		for (auto const &port : m_engines)
			if (port->stats.blocks_clean + port->stats.blocks_dirty != 0)
				m_wrong += "a drained partition holds blocks; ";
			else if (port->stats.queue_depth != 0)
				m_wrong += "a drained partition counts jobs; ";
		++m_changes;
		resize(std::size_t{1} << below(5));
	}

	void work() { m_engines[below(m_engines.size())]->work(); }

	std::unique_ptr<tracked_job> make(job_kind kind, piece_index piece = piece_index{0})
	{
		auto job = m_sink.make_job(kind, m_target);
		job->piece = piece;
		return job;
	}

	void submit(std::unique_ptr<tracked_job> job)
	{
		std::vector<job_ptr> jobs;
		jobs.push_back(std::move(job));
		m_router.submit(std::move(jobs), below(8) == 0);
	}

	std::uint32_t newest(std::uint64_t payload_offset) const
	{
		return m_versions[payload_offset / block_bytes].back();
	}

	void submit_something()
	{
		auto const &pieces = m_target->pieces();
		auto const piece =
			piece_index{static_cast<std::int32_t>(below(static_cast<std::uint64_t>(pieces.piece_count())))};
		auto const size = pieces.piece_size(piece);
		auto const begin = pieces.piece_offset(piece);
		switch (below(24)) {
		case 0:
			return submit(make(job_kind::sync));
		case 1:
			return submit(make(below(2) == 0 ? job_kind::release : job_kind::write_back));
		case 2:
			return submit(make(job_kind::clear_piece, piece));
		case 3:
		case 4: {
			auto job = make(job_kind::hash_piece, piece);
			job->want_sha1 = true;
			job->bypass_cache = below(3) == 0;
			std::vector<std::byte> bytes(size);
			for (std::uint32_t i = 0; i < size; ++i)
				bytes[i] = versioned_byte(newest(begin + i), begin + i);
			m_digests[job->number] = sha1_of(bytes);
			return submit(std::move(job));
		}
		case 5:
			return m_router.press();
		case 6:
			return drop_answers();
		case 7:
		case 8:
		case 9:
		case 10:
		case 11:
		case 12:
		case 13: {
			auto job = make(job_kind::read, piece);
			job->offset_bytes = static_cast<std::uint32_t>(below(size));
			job->length_bytes =
				1 + static_cast<std::uint32_t>(below(std::min(block_bytes, size - job->offset_bytes)));
			job->is_volatile = below(4) == 0;
			auto const first = begin + job->offset_bytes;
			for (auto block = first / block_bytes; block <= (first + job->length_bytes - 1) / block_bytes;
				 ++block)
				m_oldest[job->number].push_back(m_versions[block].size() - 1);
			return submit(std::move(job));
		}
		default:
			return write(piece, static_cast<std::uint32_t>(below(pieces.blocks_in_piece(piece))));
		}
	}

	void write(piece_index piece, std::uint32_t index)
	{
		auto block = m_arena->allocate(block_purpose::receive);
		if (!block)
			return drop_answers();
		auto job = make(job_kind::write, piece);
		job->offset_bytes = index * block_bytes;
		job->length_bytes = std::min(block_bytes, m_target->pieces().piece_size(piece) - job->offset_bytes);
		auto const at = m_target->pieces().piece_offset(piece) + job->offset_bytes;
		++m_last_version;
		for (std::uint32_t i = 0; i < job->length_bytes; ++i)
			block.data()[i] = versioned_byte(m_last_version, at + i);
		job->block = std::move(block);
		m_versions[at / block_bytes].push_back(m_last_version);
		submit(std::move(job));
	}

	/// A read may be overtaken by a write that came later, never by one that came before.
	bool is_some_version(disk_job const &job, std::uint64_t from, std::uint64_t to, std::size_t oldest) const
	{
		auto const begin = m_target->pieces().piece_offset(job.piece) + job.offset_bytes;
		auto const &versions = m_versions[from / block_bytes];
		for (auto i = oldest; i < versions.size(); ++i) {
			bool is_same = true;
			for (auto at = from; at < to && is_same; ++at)
				is_same = job.block.data()[job.block_offset_bytes + (at - begin)] ==
					versioned_byte(versions[i], at);
			if (is_same)
				return true;
		}
		return false;
	}

	void check(tracked_job &job)
	{
		auto const name = "job " + std::to_string(job.number);
		if (job.failure) {
			if (job.kind != job_kind::read || job.failure->code != errc::aborted)
				m_wrong += name + " failed: " + to_string(*job.failure) + "; ";
			return;
		}
		if (job.kind == job_kind::hash_piece && job.sha1 != m_digests.at(job.number))
			m_wrong += name + " hashed something else; ";
		if (job.kind != job_kind::read)
			return;
		auto at = m_target->pieces().piece_offset(job.piece) + job.offset_bytes;
		auto const end = at + job.length_bytes;
		for (auto const oldest : m_oldest.at(job.number)) {
			auto const part_end = std::min(end, (at / block_bytes + 1) * block_bytes);
			if (!is_some_version(job, at, part_end, oldest))
				m_wrong += name + " read what was never there or no longer is; ";
			at = part_end;
		}
	}

	bool is_dropped(std::size_t number) const { return number < m_dropped.size() && m_dropped[number]; }

	void drop_answers()
	{
		m_dropped.resize(m_sink.made());
		for (std::size_t number = 0; number < m_sink.made(); ++number) {
			if (m_sink.answer(number) == nullptr)
				continue;
			m_sink.drop(number);
			m_dropped[number] = true;
		}
	}

	void finish()
	{
		if (m_is_changing) {
			m_router.release();
			m_is_changing = false;
			for (auto const &port : m_engines)
				port->is_draining = port->is_drained = false;
		}
		submit(make(job_kind::sync));
		for (int round = 0; round < 1000 && m_sink.answered() < m_sink.made(); ++round) {
			for (auto const &port : m_engines)
				port->work();
			m_hashers.run_all();
			drop_answers();
			m_clock.advance(std::chrono::milliseconds(5));
		}
		CHECK(m_wrong == "");
		CHECK(m_sink.faults() == "");
		CHECK(m_sink.answered() == m_sink.made());
		CHECK(m_changes > 0);
		m_router.hold();
		m_router.release({});
		m_engines.clear();
		m_hashers.run_all();
		drop_answers();
		CHECK(m_arena->used_blocks() == 0);
		CHECK(m_disk->open_handles() == 0);
		m_disk->cut_power(); // after the sync it takes nothing
		auto const bytes = m_disk->bytes(0, payload_bytes);
		std::uint64_t different = 0;
		for (std::uint64_t at = 0; at < payload_bytes; ++at)
			different += bytes[at] == versioned_byte(newest(at), at) ? 0 : 1;
		CHECK(different == 0);
	}

	std::mt19937_64 m_random;
	std::shared_ptr<fault_plan> m_faults = std::make_shared<fault_plan>(m_random());
	std::shared_ptr<fake_disk> m_disk;
	std::unique_ptr<block_arena> m_arena;
	engine_limits m_limits;
	manual_clock m_clock;
	held_hash_dispatcher m_hashers;
	std::vector<std::vector<std::uint32_t>> m_versions; ///< of each block, as submitted
	std::map<std::size_t, std::vector<std::size_t>>
		m_oldest; ///< by read: the oldest version that each block may show
	std::map<std::size_t, sha1_digest> m_digests;
	std::vector<bool> m_dropped;
	std::uint32_t m_last_version = 0;
	std::shared_ptr<storage> m_target;
	std::string m_wrong;
	std::size_t m_made_before = 0;
	std::size_t m_changes = 0;
	bool m_is_changing = false;
	recording_sink m_sink;
	job_router m_router;
	std::vector<std::shared_ptr<engine_port>> m_engines;
};

} // namespace

TEST_CASE("under a changing number of partitions every job is answered once and with what was written")
{
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	// Plenty, and so few that reads must wait for blocks.
	for (std::uint32_t const capacity_blocks : {1024u, 160u}) {
		random_changes run(seed, capacity_blocks);
		run.run(6000);
	}
}
