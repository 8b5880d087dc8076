#pragma once

#include "actors/core/partition_engine.hpp"
#include "tests/support/fake_block_device.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/recording_sink.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ezio::test
{

/// A hash dispatcher that does nothing until the test lets it.
class held_hash_dispatcher : public hash_dispatcher
{
public:
	void submit(hash_task task) override { m_tasks.push_back(std::move(task)); }
	std::shared_ptr<hash_stream> open_stream(bool want_sha1, bool want_block_sha256) override
	{
		return std::make_shared<hash_stream>(want_sha1, want_block_sha256);
	}
	std::vector<hash_task> const &tasks() const { return m_tasks; }
	void run_all() { run_some(m_tasks.size()); }
	void run_some(std::size_t count)
	{
		auto const end = m_tasks.begin() + static_cast<std::ptrdiff_t>(count);
		std::vector<hash_task> tasks(std::make_move_iterator(m_tasks.begin()), std::make_move_iterator(end));
		m_tasks.erase(m_tasks.begin(), end);
		for (auto &task : tasks)
			run_hash_task(std::move(task));
	}

private:
	std::vector<hash_task> m_tasks;
};

inline extent_map make_extents(std::vector<torrent_file_entry> const &files)
{
	auto map = extent_map::build(files);
	REQUIRE(map.has_value());
	return std::move(map).value();
}

/// One engine on one fake disk, with a clock of its own. Jobs are answered into the sink.
struct engine_fixture {
	explicit engine_fixture(engine_limits bounds = {}, std::uint32_t capacity_blocks = 1024,
		hash_dispatcher *dispatcher = nullptr, std::uint64_t disk_bytes = 8 * 1024 * 1024,
		std::uint64_t seed = 0, std::function<void()> on_wake = {})
		: faults(std::make_shared<fault_plan>(seed)),
		  disk(std::make_shared<fake_disk>("/fake/disk", disk_bytes, faults)),
		  arena(std::move(block_arena::create(capacity_blocks, 4096)).value()),
		  engine(
			  *arena, dispatcher != nullptr ? *dispatcher : inline_hashers, stats, bounds,
			  [this]() { return clock.now(); },
			  [this](storage const &target, std::chrono::milliseconds time) {
				  waits.push_back(time);
				  clock.advance(time);
				  if (on_wait)
					  on_wait();
				  return target.wait_before_retry(std::chrono::milliseconds(0));
			  },
			  std::move(on_wake))
	{
	}
	~engine_fixture()
	{
		(void)engine.stop(); // a test that cares has called it
	}

	std::shared_ptr<storage> add_storage(
		std::vector<torrent_file_entry> const &files, std::uint32_t piece_bytes, std::string name = "aa")
	{
		auto map = make_extents(files);
		piece_geometry const pieces{map.payload_bytes(), piece_bytes};
		return std::make_shared<storage>(storage_id{++storages}, std::move(name), pieces, std::move(map),
			std::make_shared<fake_device_claim>(disk));
	}

	block_ref filled_block(std::byte value)
	{
		auto block = arena->allocate(block_purpose::receive);
		REQUIRE(block);
		std::memset(block.data(), std::to_integer<int>(value), block_bytes);
		return block;
	}

	/// As a partition's port and its actor do.
	void process(job_ptr job)
	{
		++stats.queue_depth;
		engine.process(std::move(job));
	}
	std::size_t submit(std::unique_ptr<tracked_job> job)
	{
		auto const number = job->number;
		process(std::move(job));
		return number;
	}
	std::size_t write(std::shared_ptr<storage> const &to, int piece, std::uint32_t block, std::byte value)
	{
		auto job = sink.make_job(job_kind::write, to);
		job->piece = piece_index{piece};
		job->offset_bytes = block * block_bytes;
		job->length_bytes =
			std::min(block_bytes, to->pieces().piece_size(piece_index{piece}) - block * block_bytes);
		job->block = filled_block(value);
		return submit(std::move(job));
	}
	std::size_t read(std::shared_ptr<storage> const &from, int piece, std::uint32_t offset,
		std::uint32_t length, bool is_volatile = false)
	{
		auto job = sink.make_job(job_kind::read, from);
		job->piece = piece_index{piece};
		job->offset_bytes = offset;
		job->length_bytes = length;
		job->is_volatile = is_volatile;
		return submit(std::move(job));
	}
	std::size_t hash(std::shared_ptr<storage> const &of, int piece, bool bypass_cache = false)
	{
		auto job = sink.make_job(job_kind::hash_piece, of);
		job->piece = piece_index{piece};
		job->want_sha1 = true;
		job->bypass_cache = bypass_cache;
		return submit(std::move(job));
	}
	/// What is due now, until nothing is.
	void catch_up()
	{
		for (engine.end_of_batch(); engine.next_deadline() && *engine.next_deadline() <= clock.now();)
			engine.end_of_batch();
	}
	std::size_t control(job_kind kind, std::shared_ptr<storage> const &of, int piece = 0)
	{
		auto job = sink.make_job(kind, of);
		job->piece = piece_index{piece};
		return submit(std::move(job));
	}

	/// The answer of a job, which must have come and be a success.
	tracked_job &done(std::size_t number)
	{
		auto *const job = sink.answer(number);
		REQUIRE(job != nullptr);
		if (job->failure)
			FAIL("job " << number << " failed: " << to_string(*job->failure));
		return *job;
	}
	/// The failure of a job, which must have come.
	error failed(std::size_t number)
	{
		auto *const job = sink.answer(number);
		REQUIRE(job != nullptr);
		REQUIRE(job->failure);
		return *job->failure;
	}
	bool is_open(std::size_t number) const { return sink.answer(number) == nullptr; }
	std::vector<std::byte> bytes_read(std::size_t number)
	{
		auto &job = done(number);
		auto const *const first = job.block.data() + job.block_offset_bytes;
		return {first, first + job.length_bytes};
	}
	std::uint64_t calls(device_call kind) const { return faults->calls_of(kind); }

	std::shared_ptr<fault_plan> faults;
	std::shared_ptr<fake_disk> disk;
	std::unique_ptr<block_arena> arena;
	manual_clock clock;
	partition_stats stats;
	inline_hash_dispatcher inline_hashers;
	recording_sink sink;
	std::uint64_t storages = 0;
	std::vector<std::chrono::milliseconds> waits; ///< before transfers that were to be tried again
	std::function<void()> on_wait;                ///< what happens meanwhile
	partition_engine engine;
};

/// Bytes of the pristine disk.
inline std::vector<std::byte> pristine(std::uint64_t offset, std::uint64_t length)
{
	std::vector<std::byte> bytes(length);
	for (std::uint64_t i = 0; i < length; ++i)
		bytes[i] = pristine_byte(offset + i);
	return bytes;
}

inline std::vector<std::byte> repeated(std::byte value, std::uint64_t length)
{
	return std::vector<std::byte>(length, value);
}

} // namespace ezio::test
