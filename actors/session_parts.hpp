#pragma once

#include "actors/core/job_router.hpp"
#include "actors/core/unix_time.hpp"
#include "actors/session.hpp"

#include <cstdint>
#include <functional>
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
error no_such_torrent(std::string const &info_hash);
error closing();
void emit(self_pointer self, event e);
void emit_disk_error(self_pointer self, session_fact const &fact);
/// An event, if it is another one than was last told.
void publish_state(self_pointer self, torrent_slot &slot);
kept_torrent_ptr kept_of(torrent_slot const &slot);
void keep(self_pointer self, torrent_slot const &slot);
/// The same, and @p done when a restart will find it so. That it cannot be kept is told by the keeper, and
/// that it takes too long by a warning; done is called all the same, also while the session closes.
void keep_then(self_pointer self, torrent_slot const &slot, std::function<void()> done);
/// The same for a torrent of which nothing is to be kept any more.
void forget_then(self_pointer self, std::string const &info_hash, std::function<void()> done);
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
/// One that has failed is resumed first, as by the operator, and verified when all of it is there again.
caf::result<void_reply> verify_torrent(self_pointer self, std::string const &info_hash);
/// add --verify: as soon as everything is on stable storage.
void start_verify_if_wanted(self_pointer self, torrent_slot &slot);
/// The rate has a portion to give: first to whom comes after the one that had the last.
void on_verify_tick(self_pointer self);
void on_verify_job(self_pointer self, torrent_slot &slot, session_job const &job);

// session_warm.cpp
/// Pieces that could not be read have waited long enough: the next peer that asks finds out.
void offer_unreadable_again(self_pointer self, torrent_slot &slot);
/// Warm-ups that wait for their turn: it may have come, or they are to end.
void look_at_waiting_warm_ups(self_pointer self);
void_reply warm_torrent(self_pointer self, std::string const &info_hash);
void on_warm_job(self_pointer self, torrent_slot &slot, session_job const &job);

// session_facts.cpp: what the BitTorrent session reports.
void collect_facts(self_pointer self);

// session_arrivals.cpp: torrents whose target is being examined.
/// @p answer is called once, with what came of it, when the torrent is kept as well, so that who was told of
/// it finds it again after a kill.
void begin_arrival(self_pointer self, std::shared_ptr<add_request const> request,
	std::function<void(text_reply const &)> answer);
/// Null if there is none of that info-hash, or it has been removed.
session_state::arrival *find_arrival(self_pointer self, std::string const &info_hash);
/// What the operator changes of one holds when it comes in.
void change_arrival(
	self_pointer self, session_state::arrival &coming, std::function<void(add_request &)> const &change);
void remove_arrival(session_state::arrival &coming, caf::typed_response_promise<void_reply> promise);
/// The session closes: whoever waits is told, and nobody waits for a device.
void give_up_arrivals(self_pointer self);
error still_arriving(session_state::arrival const &coming);

// session_add.cpp: torrents that come in.
/// The target has been examined and found good.
void take_in(self_pointer self, session_state::arrival const &coming);
/// One of the last run that cannot go on stays in sight, and what was kept of it stays where it is. Another
/// one is nobody's after its answer.
void turn_away(self_pointer self, add_request const &request, error const &failure);

// session_verbs.cpp: what operators do to torrents.
caf::result<text_reply> add_torrent(self_pointer self, add_request request);
caf::result<void_reply> pause_torrent(self_pointer self, std::string const &info_hash);
/// The operator lets it go on: from what is on the device, if it had failed. Answered when it does: once what
/// it failed at has ended. Verified when all of it is there again, if that is asked for.
void resume_when_ended(self_pointer self, std::string const &info_hash,
	caf::typed_response_promise<void_reply> promise, bool is_to_verify);
/// Something has ended: who waits for that to let the torrent go on is answered.
void answer_waiting_resumes(self_pointer self, torrent_slot &slot);
caf::result<void_reply> resume_torrent(self_pointer self, std::string const &info_hash);
caf::result<void_reply> remove_torrent(self_pointer self, std::string const &info_hash);
caf::result<void_reply> tune_torrent(
	self_pointer self, std::string const &info_hash, torrent_tuning const &tuning);

/// Runs @p action(slot) -> void_reply on one torrent.
template <class Action>
void_reply with_torrent(self_pointer self, std::string const &info_hash, Action action)
{
	if (self->state.is_closed)
		return closing();
	if (auto const *const coming = find_arrival(self, info_hash))
		return still_arriving(*coming);
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
