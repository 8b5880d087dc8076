#pragma once

#include "actors/core/hash_plan.hpp"
#include "actors/core/multi_digest.hpp"
#include "actors/messages.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace ezio
{

struct hasher_state {
	std::shared_ptr<hash_plan const> plan;
	std::shared_ptr<hasher_stats> stats;
	std::unique_ptr<multi_digest> digest; ///< uses the two above
	std::function<monotonic_time()> clock;
	bool is_ticking = false;                ///< a tick is on its way
	std::optional<monotonic_time> wakes_at; ///< a wakeup is on its way
	static inline char const *name = "hasher";
};

struct hasher_config {
	std::shared_ptr<hash_plan const> plan;
	std::shared_ptr<hasher_stats> stats;
	collect_limits limits;
	std::function<monotonic_time()> clock = monotonic_clock::now;
};

/// Hashes pieces for the partitions, side by side. Between two steps it takes in all that has arrived; when
/// nothing is under way it may collect pieces for a while (lane_collector). Spawn it detached.
hasher_actor::behavior_type hasher(hasher_actor::stateful_pointer<hasher_state> self, hasher_config config);

/// The pool: partitions submit to it from their threads, the daemon resizes it while work flows. New streams
/// go to the first hasher that has lanes left for them and little to do, and to the one with the fewest when
/// there is none. A hasher that is retired ends after the last task of the last stream that was opened on it.
/// Size 0 hashes in the caller.
class hasher_pool : public hash_dispatcher
{
public:
	explicit hasher_pool(
		caf::actor_system &system, std::shared_ptr<hash_plan const> plan = default_hash_plan());
	~hasher_pool() override;

	void resize(std::uint32_t hashers);
	/// For the present hashers and those to come.
	void set_limits(collect_limits limits);
	std::uint32_t size() const;
	void submit(hash_task task) override;
	std::shared_ptr<hash_stream> open_stream(bool want_sha1, bool want_block_sha256) override;
	/// Counters of the present hashers, to be read at any time. Thread-safe.
	std::vector<std::shared_ptr<hasher_stats const>> stats() const;

	class worker;

private:
	caf::actor_system &m_system;
	std::shared_ptr<hash_plan const> m_plan;
	std::size_t m_lanes; ///< streams that fill a hasher
	mutable std::mutex m_mutex;
	collect_limits m_limits;                        ///< guarded by m_mutex
	std::vector<std::shared_ptr<worker>> m_workers; ///< guarded by m_mutex
};

} // namespace ezio
