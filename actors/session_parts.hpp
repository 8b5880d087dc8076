#pragma once

#include "actors/core/job_router.hpp"
#include "actors/session.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The parts of the session actor, for its own files only; each function runs on the actor's thread.
namespace ezio::session_parts
{

using self_pointer = session_actor::stateful_pointer<session_state>;
using fact_kind = session_fact::kind;
using torrent_slot = session_state::torrent;

/// What a job of the session actor's own is for.
enum class purpose : std::uint8_t { sync, checkpoint, recover, verify, warm };

struct session_job : disk_job {
	std::string info_hash;
	purpose what = purpose::sync;
};

// session.cpp
void schedule_tick(self_pointer self);
/// Answers who stops the session, once nothing of its own is under way, and ends the actor.
void finish_stop_if_idle(self_pointer self);

// session_report.cpp: what others are told.
std::uint64_t unix_ms_now();
error no_such_torrent(std::string const &info_hash);
error closing();
void emit(self_pointer self, event e);
void emit_disk_error(self_pointer self, session_fact const &fact);
/// An event, if it is another one than was last told.
void publish_state(self_pointer self, torrent_slot &slot);
kept_torrent_ptr kept_of(torrent_slot const &slot);
void keep(self_pointer self, torrent_slot const &slot);
/// One event for all transfers that were tried again since the last look: a device in trouble has many.
void tell_of_retries(self_pointer self, torrent_slot &slot);
std::vector<torrent_row> rows_of(self_pointer self);
/// Tells the session what has changed in how fast it and its torrents may be. The first failure.
void_reply apply_rates(self_pointer self);
void apply_rates_or_warn(self_pointer self);
/// The record has failed: the torrent stops, visibly; the others go on.
void stop_failed(self_pointer self, torrent_slot &slot);
void fail_torrent(self_pointer self, torrent_slot &slot, error const &failure);

// session_jobs.cpp: what partitions do for the session actor itself.
job_router &router_of(storage const &target);
void send_job(self_pointer self, std::unique_ptr<session_job> job);
/// A job that all partitions have a part in; one at a time for each torrent.
void send_to_all(self_pointer self, torrent_slot &slot, job_kind kind, purpose what);
void on_own_job(self_pointer self, session_job const &job);

// session_sync.cpp: what is on stable storage.
/// Nothing is known any more of what the target holds.
void lose_durable_pieces(self_pointer self, torrent_slot &slot);
/// These are on stable storage now.
void keep_durable_pieces(self_pointer self, torrent_slot &slot, std::vector<bool> pieces);
void start_sync_if_due(self_pointer self, torrent_slot &slot);
void on_sync_done(self_pointer self, torrent_slot &slot, std::optional<error> const &failure);
/// Flushes what has been received so far, so that a crash does not cost it.
void start_checkpoint_if_due(self_pointer self, torrent_slot &slot, monotonic_time now);
void on_checkpoint_done(self_pointer self, torrent_slot &slot, std::optional<error> const &failure);

// session_verify.cpp
void_reply verify_torrent(self_pointer self, std::string const &info_hash);
/// add --verify: as soon as everything is on stable storage.
void start_verify_if_wanted(self_pointer self, torrent_slot &slot);
/// The rate has a portion to give: first to whom comes after the one that had the last.
void on_verify_tick(self_pointer self);
void on_verify_job(self_pointer self, torrent_slot &slot, session_job const &job);

// session_warm.cpp
void_reply warm_torrent(self_pointer self, std::string const &info_hash);
void on_warm_job(self_pointer self, torrent_slot &slot, session_job const &job);

// session_facts.cpp: what the BitTorrent session reports.
void collect_facts(self_pointer self);

// session_add.cpp: how torrents come and go.
/// The answer comes when the torrent is kept as well, so that who was told of it finds it again after a kill.
/// One that cannot be kept is told of by the keeper, and added all the same.
caf::result<text_reply> add_and_keep(self_pointer self, add_request const &request);
void_reply resume_torrent(self_pointer self, std::string const &info_hash);
caf::result<void_reply> remove_torrent(self_pointer self, std::string const &info_hash);

/// Runs @p action(slot) -> void_reply on one torrent.
template <class Action>
void_reply with_torrent(self_pointer self, std::string const &info_hash, Action action)
{
	if (self->state.is_closed)
		return closing();
	auto const found = self->state.torrents.find(info_hash);
	if (auto const left = self->state.left_behind.find(info_hash); left != self->state.left_behind.end())
		return make_error(errc::invalid_argument,
			"it does not go on since the restart; resume or remove it: " +
				to_string(*left->second.row.failure));
	if (found == self->state.torrents.end() || found->second.is_removed)
		return no_such_torrent(info_hash);
	void_reply reply = action(found->second);
	publish_state(self, found->second);
	return reply;
}

} // namespace ezio::session_parts
