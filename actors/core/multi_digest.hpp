#pragma once

#include "actors/core/lane_collector.hpp"
#include "actors/core/piece_digest.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace ezio
{

/// Counters of one hasher, written by its thread (relaxed) and read by anyone at any time.
struct hasher_stats {
	std::atomic<std::uint64_t> hashed_bytes{0};
	std::atomic<std::uint64_t> tasks{0};
	std::atomic<std::uint64_t> pieces{0};
	/// [n]: steps in which n + 1 pieces were hashed side by side.
	std::array<std::atomic<std::uint64_t>, sha_lanes_max> steps_by_pieces{};
};

/// Hashes the tasks of many pieces side by side, in small steps between which more tasks may come. Pieces are
/// taken up together and those that come later wait for the next round, so that lanes are as full at a
/// round's end as at its beginning; unless those that wait are as many as those that are left. Tasks of one
/// stream run in the order they came. Every task leaves by a step as run_hash_task() would end it: blocks
/// dropped, stream dropped, counted, the job at its sink exactly once. Used by one thread.
class multi_digest
{
public:
	/// @p plan and @p stats (may be null) outlive it.
	explicit multi_digest(hash_plan const &plan, hasher_stats *stats = nullptr, collect_limits limits = {});
	~multi_digest(); ///< hashes what is left
	multi_digest(multi_digest const &) = delete;
	multi_digest &operator=(multi_digest const &) = delete;

	void add(hash_task task, monotonic_time now = monotonic_clock::now());
	void set_limits(collect_limits limits) { m_collector.set_limits(limits); }
	/// Nothing is left to hash.
	bool is_idle() const { return m_streams.empty(); }
	/// When step() should be called next: @p now or later, if it is worth waiting for more pieces; empty when
	/// idle.
	std::optional<monotonic_time> next_step(monotonic_time now) const;
	/// Hashes some blocks, at most sha_lanes_max, whether or not waiting is worth it: of as many pieces as
	/// the plan takes at once, oldest first, and more than one block of each when they are few. Does nothing
	/// when idle.
	void step();
	void run()
	{
		while (!is_idle())
			step();
	}

private:
	struct waiting_stream {
		hash_stream *stream = nullptr; ///< kept alive by its tasks
		std::vector<hash_task> tasks;
		std::size_t next_task = 0;
		std::size_t next_part = 0; ///< of the next task
		monotonic_time since{};    ///< its first task that is here came then

		bool is_done() const { return next_task == tasks.size(); }
	};

	void end_task(waiting_stream &waiting);
	/// Lets those that wait join the round if they should.
	void take_up();

	hash_plan const &m_plan;
	hasher_stats *m_stats;
	lane_collector m_collector;
	std::vector<waiting_stream> m_streams; ///< with tasks: those of the round, then those that wait
	std::size_t m_round = 0;               ///< streams of the round
	std::uint64_t m_waiting_bytes = 0;     ///< held by those that wait
};

} // namespace ezio
