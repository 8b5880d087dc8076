#pragma once

#include "actors/core/piece_digest.hpp"

#include <array>
#include <atomic>
#include <cstdint>
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

/// Hashes the tasks of many pieces side by side, in small steps between which more tasks may come: pieces
/// join and leave while others are under way. Tasks of one stream run in the order they came. Every task
/// leaves by a step as run_hash_task() would end it: blocks dropped, stream dropped, counted, the job at its
/// sink exactly once. Used by one thread.
class multi_digest
{
public:
	/// @p plan and @p stats (may be null) outlive it.
	explicit multi_digest(hash_plan const &plan, hasher_stats *stats = nullptr);
	~multi_digest(); ///< hashes what is left
	multi_digest(multi_digest const &) = delete;
	multi_digest &operator=(multi_digest const &) = delete;

	void add(hash_task task);
	/// Nothing is left to hash.
	bool is_idle() const { return m_streams.empty(); }
	/// Hashes some blocks, at most sha_lanes_max: of as many pieces as the plan takes at once, oldest first,
	/// and more than one block of each when they are few. Does nothing when idle.
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

		bool is_done() const { return next_task == tasks.size(); }
	};

	void end_task(waiting_stream &waiting);

	hash_plan const &m_plan;
	hasher_stats *m_stats;
	std::vector<waiting_stream> m_streams; ///< with tasks, oldest first
};

} // namespace ezio
