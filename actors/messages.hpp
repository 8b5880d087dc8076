#pragma once

#include "actors/core/bottleneck.hpp"
#include "actors/core/checkpoint_policy.hpp"
#include "actors/core/disk_job.hpp"
#include "actors/core/disk_kind.hpp"
#include "actors/core/lane_collector.hpp"
#include "actors/core/partition_engine.hpp"
#include "actors/core/partition_stats.hpp"
#include "actors/core/piece_digest.hpp"
#include "actors/core/rate_pacer.hpp"
#include "actors/core/result.hpp"
#include "actors/core/resume_store.hpp"
#include "actors/core/sha_lanes.hpp"
#include "actors/core/torrent_session.hpp"
#include "actors/events.hpp"

#include <caf/all.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ezio
{

// Verbs. Matched by type, sent as ::value. At most ten characters each.
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using limits_atom = caf::atom_constant<caf::atom("limits")>;
using add_atom = caf::atom_constant<caf::atom("add")>;
using pause_atom = caf::atom_constant<caf::atom("pause")>;
using resume_atom = caf::atom_constant<caf::atom("resume")>;
using remove_atom = caf::atom_constant<caf::atom("remove")>;
using verify_atom = caf::atom_constant<caf::atom("verify")>;
using warm_atom = caf::atom_constant<caf::atom("warm")>;
using announce_atom = caf::atom_constant<caf::atom("announce")>;
using peers_atom = caf::atom_constant<caf::atom("peers")>;
using status_atom = caf::atom_constant<caf::atom("status")>;
using stats_atom = caf::atom_constant<caf::atom("stats")>;
using setting_atom = caf::atom_constant<caf::atom("setting")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using save_atom = caf::atom_constant<caf::atom("save")>;
using erase_atom = caf::atom_constant<caf::atom("erase")>;
using tune_atom = caf::atom_constant<caf::atom("tune")>;
using wakeup_atom = caf::atom_constant<caf::atom("wakeup")>;
using admit_atom = caf::atom_constant<caf::atom("admit")>;

// In-process only: each owns jobs that hold buffers and callbacks. Destroyed unread, a batch would lose them,
// so partitions and hashers are stopped by a message of normal priority, behind everything sent before.

/// Jobs for one partition, in order. Owner: the receiver, who empties it.
struct job_batch_data {
	std::vector<job_ptr> jobs;
};
using job_batch = std::shared_ptr<job_batch_data>;

/// One task for one hasher. Owner: the receiver, who empties it.
struct hash_work_data {
	hash_task task;
};
using hash_work = std::shared_ptr<hash_work_data>;

/// A job that a partition finished for the session actor itself (sync, verification, warm-up).
struct finished_job_data {
	job_ptr job;
};
using finished_job = std::shared_ptr<finished_job_data>;

using kept_torrent_ptr = std::shared_ptr<kept_torrent const>;
/// Shared by the session actor and, until it answers, by the admission that examines it.
using addition_ptr = std::shared_ptr<torrent_addition>;

// Answers. Errors travel as values, so that every receiver sees the whole story.
using void_reply = result<void>;
using text_reply = result<std::string>;
using rows_reply = result<std::vector<torrent_row>>;
using peers_reply = result<std::vector<peer_row>>;

/// Counters of all partitions, hashers and the budget at one moment.
struct stats_report {
	struct partition_counters {
		std::uint64_t cache_hits = 0, cache_misses = 0, ahead_blocks = 0, ahead_unused_blocks = 0;
		std::uint64_t read_ops = 0, read_bytes = 0, write_ops = 0, write_bytes = 0, blocks_written = 0;
		std::uint64_t hashed_bytes = 0, syncs = 0, errors = 0, retries = 0;
		std::uint64_t blocks_clean = 0, blocks_dirty = 0, jobs_waiting = 0, queue_depth = 0;
		latency_histogram::summary read_latency, write_latency, hash_latency, sync_latency;

		partition_counters &operator+=(partition_counters const &other);
	};
	struct partition_row : partition_counters {
		std::uint32_t index = 0;
		std::string device; ///< as device_row
	};
	/// One hasher that runs now.
	struct hasher_row {
		std::uint32_t index = 0;
		std::uint64_t hashed_bytes = 0;
		std::uint64_t pieces = 0;
		/// [n]: steps in which n + 1 pieces were hashed side by side.
		std::array<std::uint64_t, sha_lanes_max> steps_by_pieces{};
		/// Pieces hashed side by side, on average over all steps; 0 before the first.
		double lanes_filled() const;
	};
	/// One device, and how its peers are held back.
	struct device_row {
		std::string device; ///< "/dev/sda"; where the file system of an image is mounted
		disk_kind kind = disk_kind::unknown;
		std::uint32_t partitions = 0;
		std::uint64_t dirty_bytes = 0;            ///< received and not yet written
		std::uint64_t mark_bytes = 0;             ///< dirty bytes at which peers are told to wait
		std::uint64_t drain_bytes_per_second = 0; ///< as measured; 0: not yet
		std::uint64_t blocks_refused = 0;         ///< received blocks that found no free block
		std::uint64_t backpressure_count = 0;
		std::uint64_t backpressure_ms = 0;
		partition_counters counters; ///< of its partitions that run now, added
	};
	std::vector<partition_row> partitions;
	std::vector<device_row> devices;
	partition_counters ended;        ///< of partitions that are no more, added; no gauges, no latencies
	std::uint64_t budget_blocks = 0; ///< cache-size in 16 KiB blocks
	std::uint64_t used_blocks = 0;
	std::uint64_t dirty_bytes = 0;        ///< of all devices
	std::uint64_t backpressure_count = 0; ///< of all devices, those that are no more included
	std::uint64_t backpressure_ms = 0;
	std::uint64_t blocks_refused = 0; ///< received without a free block; each cost its peer the connection
	std::uint32_t hashers = 0;
	std::vector<hasher_row> hasher_rows;
	std::uint64_t events_published = 0; ///< by kind in event_counts
	std::vector<std::pair<std::string, std::uint64_t>> event_counts;
	std::uint64_t uptime_ms = 0;
	busy_report load;   ///< of the last seconds
	bottleneck held_by; ///< filled in by the control actor, who also knows the torrents
};

/// How a partition makes way for a new division of the pieces.
struct drain_request {
	bool closes_handles = false; ///< it gets no part in the new one
};

using disk_partition_actor = caf::typed_actor<
	// Does the jobs in order and writes what is ripe.
	caf::reacts_to<job_batch>,
	// Writes everything dirty: back-pressure.
	caf::reacts_to<flush_atom>,
	// To itself: the deadline of a delayed write has come.
	caf::reacts_to<tick_atom>,
	// To itself, from a hasher's thread: a check or verification may read on.
	caf::reacts_to<wakeup_atom>,
	// New limits; take effect before the next job.
	caf::reacts_to<limits_atom, engine_limits>,
	// Writes everything and forgets every block; answers when all jobs that came before have ended, hashing
	// included. A flush that fails before closing is answered; aborted, if the drain is given up or the
	// partition stops first.
	caf::replies_to<drain_atom, drain_request>::with<void_reply>,
	// To itself: looks again whether the drain is over.
	caf::reacts_to<drain_atom>,
	// Gives up a drain that is not over. Nothing is lost by it.
	caf::reacts_to<resume_atom>,
	// Finishes everything, flushes and closes the devices, answers the first failure, ends.
	caf::replies_to<stop_atom>::with<void_reply>>;

using hasher_actor = caf::typed_actor<
	// Adds the task to those being hashed; the job of a piece's last task goes to its sink.
	caf::reacts_to<hash_work>,
	// To itself: hashes some more of what there is, after taking in what has come meanwhile.
	caf::reacts_to<tick_atom>,
	// To itself: collecting pieces may be over.
	caf::reacts_to<wakeup_atom>,
	// New limits; take effect at once.
	caf::reacts_to<limits_atom, collect_limits>,
	// Finishes all work sent before, ends.
	caf::reacts_to<stop_atom>>;

using session_actor = caf::typed_actor<
	// Has the target examined and adds the torrent; answers its info-hash. Until then it is a row in state
	// checking, and can be paused, resumed, tuned and removed.
	caf::replies_to<add_atom, add_request>::with<text_reply>,
	// One torrent by full info-hash. resume also clears an error and re-checks what is on the device;
	// verify starts reading the device in the background, after a resume if the torrent had failed; warm
	// reads it into the cache.
	caf::replies_to<pause_atom, std::string>::with<void_reply>,
	caf::replies_to<resume_atom, std::string>::with<void_reply>,
	caf::replies_to<remove_atom, std::string>::with<void_reply>,
	caf::replies_to<verify_atom, std::string>::with<void_reply>,
	caf::replies_to<warm_atom, std::string>::with<void_reply>,
	caf::replies_to<announce_atom, std::string>::with<void_reply>,
	caf::replies_to<peers_atom, std::string>::with<peers_reply>,
	// Changes limits and priority of one torrent; kept for a restart.
	caf::replies_to<tune_atom, std::string, torrent_tuning>::with<void_reply>,
	// All torrents as known now.
	caf::replies_to<status_atom>::with<rows_reply>,
	// Applies one setting to the running session.
	caf::replies_to<setting_atom, session_setting>::with<void_reply>,
	// New limits of what a crash may cost.
	caf::reacts_to<limits_atom, checkpoint_limits>,
	// A new rate of verifications; holds within a second.
	caf::reacts_to<limits_atom, verify_rate>,
	// To itself: verifications may read on.
	caf::reacts_to<verify_atom>,
	// To itself, from libtorrent's thread: alerts are waiting.
	caf::reacts_to<wakeup_atom>,
	// To itself: time to ask for changed torrents.
	caf::reacts_to<tick_atom>,
	// A sync, verify or warm job of its own has come back.
	caf::reacts_to<finished_job>,
	// Removes all torrents in order and closes the session; answers when the disk adapter is gone.
	caf::replies_to<stop_atom>::with<void_reply>>;

using admission_actor = caf::typed_actor<
	// Examines the target of one torrent; answers what came of it. Blocks as long as the device.
	caf::replies_to<admit_atom, addition_ptr>::with<void_reply>,
	// Ends, after everything that was sent before.
	caf::reacts_to<stop_atom>>;

using state_keeper_actor = caf::typed_actor<
	// Replaces what is kept of the torrent.
	caf::reacts_to<save_atom, kept_torrent_ptr>,
	// Keeps nothing of the torrent any more.
	caf::reacts_to<erase_atom, std::string>,
	// Ends, after everything that was sent before.
	caf::reacts_to<stop_atom>>;

using stats_actor = caf::typed_actor<
	// A snapshot; never waits for a device.
	caf::replies_to<stats_atom>::with<stats_report>,
	// From the bus.
	caf::reacts_to<event>,
	// To itself: time to sample the load.
	caf::reacts_to<tick_atom>, caf::reacts_to<stop_atom>>;

/// Name of the CAF group that is the bus; join it with join_bus().
inline constexpr char const *bus_name = "bus";

/// Publishes on the bus; from any thread or actor.
void publish(caf::actor_system &system, event e);
/// Subscribes an actor that accepts event until it ends; it gets what is published from now on, even if its
/// behaviour function has not run yet. Called by the spawner, since an actor could join only when it is first
/// scheduled and would miss what was published before.
void join_bus(caf::actor_system &system, caf::strong_actor_ptr const &subscriber);
template <class Actor>
Actor join_bus(caf::actor_system &system, Actor subscriber)
{
	join_bus(system, caf::actor_cast<caf::strong_actor_ptr>(subscriber));
	return subscriber;
}

} // namespace ezio

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::job_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::hash_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::finished_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::engine_limits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::collect_limits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::checkpoint_limits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::verify_rate)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::kept_torrent_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::addition_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::drain_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::add_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::torrent_tuning)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::session_setting)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::stats_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::void_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::text_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::rows_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::peers_reply)
