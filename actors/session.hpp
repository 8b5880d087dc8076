#pragma once

#include "actors/admission.hpp"
#include "actors/core/checkpoint_policy.hpp"
#include "actors/core/rate_policy.hpp"
#include "actors/core/torrent_record.hpp"
#include "actors/core/warm_up.hpp"
#include "actors/messages.hpp"

#include <functional>
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
	admission_source admissions;
	state_keeper_actor keeper; ///< none: nothing is kept for a restart
	checkpoint_limits checkpoints;
	verify_rate verifying;
	rate_policy rates;
};

/// Brings jobs that the session actor made for itself back to it. Outlives the jobs: the actor ends only
/// after the last has come back.
struct session_state {
	/// One torrent: the record decides, the rest counts what is under way.
	struct torrent {
		explicit torrent(torrent_record r)
			: record(std::move(r)), unreadable(record.added().target_storage->unreadable())
		{
		}
		torrent_record record;
		torrent_state shown_state = torrent_state::checking; ///< as last published
		bool is_job_pending = false;                         ///< a sync or a discard is under way
		std::optional<error> read_failure; ///< the last failed read since the operator let it go on
		unreadable_watch unreadable;
		caf::actor_clock::time_point unreadable_since; ///< the last change of them
		std::uint64_t retries_told = 0;                ///< of its storage's, those that an event told of
		std::int32_t verify_next = 0;                  ///< next piece to verify
		std::size_t verify_pending = 0;
		bool wants_verify = false; ///< once it is on stable storage
		std::optional<error> verify_failure;
		std::optional<warm_up> warming;
		std::map<std::int32_t, std::uint32_t> warm_read; ///< bytes of a piece that it has read, until all are
		bool is_removed = false;                         ///< answers wait for the removed fact

		// What is kept for a restart.
		std::shared_ptr<add_request const> request;
		device_identity device;
		checkpoint_policy checkpoints{monotonic_clock::now()};
		std::vector<bool> syncing_pieces; ///< what the running checkpoint makes durable
		std::vector<bool> durable_pieces; ///< flushed to stable storage after their hashes matched
		bool is_doubtful = false;         ///< what the target holds must be hashed after a restart
		std::vector<caf::typed_response_promise<void_reply>> removal_promises;
		struct waiting_resume {
			caf::typed_response_promise<void_reply> promise;
			bool is_to_verify = false;
		};
		/// Who let it go on while what it failed at was still ending.
		std::vector<waiting_resume> waiting_resumes;
	};

	/// One whose target is being examined.
	struct arrival {
		addition_ptr addition;
		std::shared_ptr<add_request const> request; ///< as the operator has changed it meanwhile
		torrent_row row;                            ///< in state checking
		caf::actor_clock::time_point since;
		bool wants_verify = false; ///< once it is on stable storage
		bool is_removed = false;   ///< given back as soon as it has been examined
		std::vector<std::function<void(text_reply const &)>> waiting;
		std::vector<caf::typed_response_promise<void_reply>> removal_promises;
	};
	/// Who examines the additions to one target.
	struct gate {
		admission_actor actor;
		std::size_t under_way = 0;
	};

	std::unique_ptr<torrent_session> session;
	std::shared_ptr<job_sink> sink; ///< of its own jobs
	admission_source admissions;
	state_keeper_actor keeper;
	checkpoint_limits checkpoints;
	/// One that could not be added again after a restart: shown, until it is resumed or removed.
	struct stranded {
		std::shared_ptr<add_request const> request;
		torrent_row row; ///< in state error
	};
	rate_policy rates;
	std::map<std::string, torrent> torrents;
	std::map<std::string, arrival> arrivals;
	std::map<std::string, gate> gates; ///< by target path
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
/// network thread. It waits for no device but when it closes.
session_actor::behavior_type session(
	session_actor::stateful_pointer<session_state> self, std::shared_ptr<session_config> config);

} // namespace ezio
