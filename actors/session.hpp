#pragma once

#include "actors/core/checkpoint_policy.hpp"
#include "actors/core/rate_policy.hpp"
#include "actors/core/torrent_record.hpp"
#include "actors/core/warm_up.hpp"
#include "actors/messages.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ezio
{

/// What the session actor works with.
struct session_config {
	std::unique_ptr<torrent_session> session;
	state_keeper_actor keeper; ///< none: nothing is kept for a restart
	checkpoint_limits checkpoints;
	verify_rate verifying;
	rate_policy rates;
};

/// Brings jobs that the session actor made for itself back to it. Outlives the jobs: the actor ends only
/// after the last has come back.
class session_job_sink;

struct session_state {
	/// One torrent: the record decides, the rest counts what is under way.
	struct torrent {
		explicit torrent(torrent_record r) : record(std::move(r)) {}
		torrent_record record;
		torrent_state shown_state = torrent_state::checking; ///< as last published
		bool is_job_pending = false;                         ///< a sync or a discard is under way
		std::optional<error> read_failure; ///< the last failed read since the operator let it go on
		std::uint64_t retries_told = 0;    ///< of its storage's, those that an event told of
		std::int32_t verify_next = 0;      ///< next piece to verify
		std::size_t verify_pending = 0;
		bool wants_verify = false; ///< once it is on stable storage
		std::optional<error> verify_failure;
		std::optional<warm_up> warming;
		bool is_removed = false; ///< answers wait for the removed fact

		// What is kept for a restart.
		std::shared_ptr<add_request const> request;
		device_identity device;
		checkpoint_policy checkpoints{monotonic_clock::now()};
		std::vector<bool> syncing_pieces; ///< what the running checkpoint makes durable
		std::vector<bool> durable_pieces; ///< flushed to stable storage after their hashes matched
		bool is_doubtful = false;         ///< what the target holds must be hashed after a restart
		std::vector<caf::typed_response_promise<void_reply>> removal_promises;
	};

	std::unique_ptr<torrent_session> session;
	std::shared_ptr<session_job_sink> sink;
	state_keeper_actor keeper;
	checkpoint_limits checkpoints;
	/// One that could not be added again after a restart: shown, until it is resumed or removed.
	struct stranded {
		std::shared_ptr<add_request const> request;
		torrent_row row; ///< in state error
	};
	rate_policy rates;
	std::map<std::string, torrent> torrents;
	std::map<std::string, stranded> left_behind;
	rate_pacer verify_pacer;
	bool is_verify_tick_pending = false;
	std::string verified_last; ///< info-hash of who got the last portion of the rate
	std::size_t own_jobs = 0;  ///< handed to partitions, or kept for an answer, and not back
	bool is_ticking = false;
	bool is_closed = false;
	std::optional<caf::typed_response_promise<void_reply>> stop_promise;
	std::optional<error> stop_failure; ///< the first write that failed while the session closed
	static inline char const *name = "session";
};

/// Owns the BitTorrent session: commands into calls, facts into records and events, and the syncs and
/// verifications that make "done" true. Spawn it detached, since some of libtorrent's queries wait for its
/// network thread and claiming a target waits for the device.
session_actor::behavior_type session(
	session_actor::stateful_pointer<session_state> self, std::shared_ptr<session_config> config);

} // namespace ezio
