#include "actors/session.hpp"

#include "actors/caf_error.hpp"
#include "actors/core/device_route.hpp"
#include "actors/thread_name.hpp"
#include "actors/timeouts.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ezio
{

class session_job_sink : public job_sink
{
public:
	explicit session_job_sink(session_actor owner) : m_owner(std::move(owner)) {}
	void finished(job_ptr job) override
	{
		auto message = std::make_shared<finished_job_data>();
		message->job = std::move(job);
		caf::anon_send(m_owner, std::move(message));
	}

private:
	session_actor m_owner;
};

namespace
{

using self_pointer = session_actor::stateful_pointer<session_state>;
using fact_kind = session_fact::kind;
using torrent_slot = session_state::torrent;

/// What a verification keeps in flight: pieces of so many bytes in all, enough to fill the lanes of the
/// hashers and few enough not to hold back peers; two for each partition at least, so that the device is busy
/// while a piece is hashed.
constexpr std::size_t verify_bytes = 64 * 1024 * 1024;
constexpr std::size_t verify_pieces_per_partition = 2;

/// Stretches that a warm-up keeps in flight for each partition: one is read while the next is on its way.
constexpr std::size_t warm_stretches_per_partition = 2;

enum class purpose : std::uint8_t { sync, checkpoint, recover, verify, warm };

struct session_job : disk_job {
	std::string info_hash;
	purpose what = purpose::sync;
};

std::uint64_t unix_ms_now()
{
	auto const now = std::chrono::system_clock::now().time_since_epoch();
	return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

error no_such_torrent(std::string const &info_hash)
{
	return make_error(errc::not_found, "no torrent " + info_hash);
}

error closing()
{
	return make_error(errc::unreachable, "the daemon is stopping");
}

void emit(self_pointer self, event e)
{
	publish(self->system(), std::move(e));
}

void publish_state(self_pointer self, torrent_slot &slot)
{
	auto const state = slot.record.state();
	if (state == slot.shown_state)
		return;
	auto e = make_event(event_kind::torrent_state, slot.record.added().info_hash);
	e.old_value = std::string(to_string(slot.shown_state));
	e.new_value = std::string(to_string(state));
	e.text = slot.record.added().name + " on " + slot.record.added().target + ": " + e.old_value + " -> " +
		e.new_value;
	slot.shown_state = state;
	emit(self, std::move(e));
}

kept_torrent_ptr kept_of(torrent_slot const &slot)
{
	auto const &row = slot.record.row();
	auto kept = std::make_shared<kept_torrent>();
	kept->info_hash = row.info_hash;
	kept->request = slot.request;
	kept->device = slot.device;
	kept->added_unix_ms = row.added_unix_ms;
	kept->is_paused = slot.record.is_paused();
	kept->is_doubtful = slot.is_doubtful;
	kept->pieces = slot.durable_pieces;
	kept->name = row.name;
	kept->times = row.times;
	kept->failure = row.failure;
	return kept;
}

void keep(self_pointer self, torrent_slot const &slot)
{
	if (self->state.keeper && !slot.is_removed)
		caf::anon_send(self->state.keeper, save_atom::value, kept_of(slot));
}

/// Nothing is known any more of what the target holds.
void lose_durable_pieces(self_pointer self, torrent_slot &slot)
{
	slot.is_doubtful = true;
	slot.durable_pieces.assign(slot.durable_pieces.size(), false);
	slot.checkpoints = checkpoint_policy(monotonic_clock::now());
	keep(self, slot);
}

/// These are on stable storage now.
void keep_durable_pieces(self_pointer self, torrent_slot &slot, std::vector<bool> pieces)
{
	slot.durable_pieces = std::move(pieces);
	slot.is_doubtful = false;
	keep(self, slot);
}

/// One event for all transfers that were tried again since the last look: a device in trouble has many.
void tell_of_retries(self_pointer self, torrent_slot &slot)
{
	auto const counted = slot.record.added().target_storage->retries();
	auto const since = counted.times - slot.retries_told;
	if (since == 0)
		return;
	slot.retries_told = counted.times;
	slot.record.on_retries(counted.times);
	auto e = make_event(event_kind::disk_retry, slot.record.added().info_hash,
		std::to_string(since) + (since == 1 ? " transfer was" : " transfers were") +
			" tried again, the last one after " + to_string(*counted.last));
	e.new_value = std::to_string(since);
	e.failure = counted.last;
	emit(self, std::move(e));
}

std::vector<torrent_row> rows_of(self_pointer self)
{
	std::vector<torrent_row> rows;
	rows.reserve(self->state.torrents.size());
	for (auto const &[info_hash, slot] : self->state.torrents) {
		auto row = slot.record.row();
		row.is_held = self->state.rates.is_held(info_hash);
		row.slow_start_rate = self->state.rates.ceiling();
		rows.push_back(std::move(row));
	}
	return rows;
}

/// Tells the session what has changed in how fast it and its torrents may be. The first failure.
void_reply apply_rates(self_pointer self)
{
	void_reply reply;
	auto const actions = self->state.rates.decide(rows_of(self), monotonic_clock::now());
	for (auto const &setting : actions.settings) {
		if (auto const done = self->state.session->apply(setting); !done && reply)
			reply = done;
	}
	for (auto const &[info_hash, limits] : actions.torrents) {
		// A torrent on its way out needs no limits.
		auto const done = self->state.session->set_limits(info_hash, limits);
		if (!done && done.failure().code != errc::not_found && reply)
			reply = done;
	}
	return reply;
}

void apply_rates_or_warn(self_pointer self)
{
	if (auto const done = apply_rates(self); !done)
		emit(self, make_event(event_kind::warning, {}, "limits: " + to_string(done.failure())));
}

/// The record has failed: the torrent stops, visibly; the others go on.
void stop_failed(self_pointer self, torrent_slot &slot)
{
	tell_of_retries(self, slot);
	slot.record.note_error(*slot.record.failure(), unix_ms_now());
	slot.record.note_times(unix_ms_now());
	auto const &info_hash = slot.record.added().info_hash;
	auto e = make_event(event_kind::torrent_error, info_hash, to_string(*slot.record.failure()));
	e.failure = slot.record.failure();
	emit(self, std::move(e));
	lose_durable_pieces(self, slot);
	// It may be gone from the session already; then there is nothing to stop.
	if (auto const paused = self->state.session->pause(info_hash); !paused)
		emit(self, make_event(event_kind::warning, info_hash, "pausing: " + to_string(paused.failure())));
}

void fail_torrent(self_pointer self, torrent_slot &slot, error const &failure)
{
	if (slot.record.fail(failure))
		stop_failed(self, slot);
}

job_router &router_of(storage const &target)
{
	return target.route()->router();
}

void send_job(self_pointer self, std::unique_ptr<session_job> job)
{
	job->sink = self->state.sink.get();
	job->submitted = monotonic_clock::now();
	std::vector<job_ptr> jobs;
	jobs.push_back(std::move(job));
	++self->state.own_jobs;
	router_of(*jobs.front()->target).submit(std::move(jobs));
}

/// A job that all partitions have a part in; one at a time for each torrent.
void send_to_all(self_pointer self, torrent_slot &slot, job_kind kind, purpose what)
{
	slot.is_job_pending = true;
	auto job = std::make_unique<session_job>();
	job->kind = kind;
	job->target = slot.record.added().target_storage;
	job->info_hash = slot.record.added().info_hash;
	job->what = what;
	send_job(self, std::move(job));
}

void start_sync_if_due(self_pointer self, torrent_slot &slot)
{
	// Another such job of this torrent comes first; its end looks here again. A torrent that is on its way
	// out has let go of its device: a sync would open it again, and nobody would close it.
	if (!slot.record.wants_sync() || slot.is_job_pending || slot.is_removed || self->state.is_closed)
		return;
	slot.record.sync_started();
	publish_state(self, slot);
	send_to_all(self, slot, job_kind::sync, purpose::sync);
}

/// Flushes what has been received so far, so that a crash does not cost it.
void start_checkpoint_if_due(self_pointer self, torrent_slot &slot, monotonic_time now)
{
	auto const &row = slot.record.row();
	if (!self->state.keeper || row.is_seed || row.state != torrent_state::downloading ||
		slot.is_job_pending || slot.is_removed || self->state.is_closed ||
		!slot.checkpoints.is_due(self->state.checkpoints, now, row.done_bytes))
		return;
	// Asked before the flush: what comes in meanwhile is not covered by it.
	auto pieces = self->state.session->pieces(row.info_hash);
	if (!pieces)
		return; // on its way out
	slot.checkpoints.begun(now, row.done_bytes);
	slot.syncing_pieces = *std::move(pieces);
	send_to_all(self, slot, job_kind::sync, purpose::checkpoint);
}

void on_checkpoint_done(self_pointer self, torrent_slot &slot, std::optional<error> const &failure)
{
	if (self->state.is_closed)
		return; // the end of the session keeps what it has made durable
	auto pieces = std::exchange(slot.syncing_pieces, {});
	if (failure)
		fail_torrent(self, slot, *failure);
	else if (!slot.record.failure() && slot.record.state() != torrent_state::checking)
		keep_durable_pieces(self, slot, std::move(pieces));
	publish_state(self, slot);
}

/// When the rate lets the next piece be read; soon enough for a new rate.
void schedule_verify(self_pointer self)
{
	if (self->state.is_verify_tick_pending)
		return;
	self->state.is_verify_tick_pending = true;
	auto const wait =
		std::clamp<monotonic_clock::duration>(self->state.verify_pacer.next() - monotonic_clock::now(),
			monotonic_clock::duration::zero(), timeouts::verify_interval);
	self->delayed_send(self, std::chrono::ceil<std::chrono::milliseconds>(wait), verify_atom::value);
}

void send_verify_jobs(self_pointer self, torrent_slot &slot)
{
	auto const &target = slot.record.added().target_storage;
	auto const pieces = target->pieces().piece_count();
	auto const window = std::max(verify_pieces_per_partition * router_of(*target).partitions(),
		verify_bytes / target->pieces().piece_bytes);
	while (slot.verify_pending < window && slot.verify_next < pieces && !slot.verify_failure &&
		!self->state.is_closed && !slot.is_removed) {
		auto const size = target->pieces().piece_size(piece_index{slot.verify_next});
		if (!self->state.verify_pacer.take(size, monotonic_clock::now())) {
			schedule_verify(self);
			return;
		}
		self->state.verified_last = slot.record.added().info_hash;
		auto job = std::make_unique<session_job>();
		job->kind = job_kind::hash_piece;
		job->target = target;
		job->piece = piece_index{slot.verify_next++};
		job->bypass_cache = true;
		job->is_volatile = true;
		job->info_hash = slot.record.added().info_hash;
		job->what = purpose::verify;
		self->state.session->prepare_hash(job->info_hash, *job);
		++slot.verify_pending;
		send_job(self, std::move(job));
	}
}

void end_verify(self_pointer self, torrent_slot &slot)
{
	auto const &info_hash = slot.record.added().info_hash;
	bool const had_failed = slot.record.failure().has_value();
	slot.record.verify_ended(slot.verify_failure);
	slot.record.note_times(unix_ms_now());
	auto e = make_event(event_kind::torrent_verified, info_hash);
	e.new_value = std::to_string(slot.record.bad_pieces());
	e.failure = slot.record.failure();
	e.text = e.failure ? to_string(*e.failure) : "every piece on the device matches";
	emit(self, std::move(e));
	if (slot.record.failure() && !had_failed)
		stop_failed(self, slot);
	else
		keep(self, slot);
	publish_state(self, slot);
}

void continue_verify(self_pointer self, torrent_slot &slot)
{
	// Nobody needs the rest of one whose torrent has failed meanwhile.
	if (!slot.verify_failure)
		slot.verify_failure = slot.record.failure();
	send_verify_jobs(self, slot);
	bool const is_over =
		slot.verify_failure || slot.verify_next >= slot.record.added().target_storage->pieces().piece_count();
	if (is_over && slot.verify_pending == 0 && !self->state.is_closed && !slot.is_removed)
		end_verify(self, slot);
}

/// The rate has a portion to give: first to whom comes after the one that had the last.
void on_verify_tick(self_pointer self)
{
	self->state.is_verify_tick_pending = false;
	auto &torrents = self->state.torrents;
	std::vector<std::string> order;
	auto const next = torrents.upper_bound(self->state.verified_last);
	for (auto it = next; it != torrents.end(); ++it)
		order.push_back(it->first);
	for (auto it = torrents.begin(); it != next; ++it)
		order.push_back(it->first);
	for (auto const &info_hash : order) {
		auto &slot = torrents.at(info_hash);
		if (slot.record.is_verifying() && !self->state.is_closed && !slot.is_removed)
			continue_verify(self, slot);
	}
}

void on_verify_job(self_pointer self, torrent_slot &slot, session_job const &job)
{
	--slot.verify_pending;
	if (job.failure) {
		if (!slot.verify_failure)
			slot.verify_failure = job.failure;
	} else if (!self->state.is_closed) {
		auto const is_good = self->state.session->piece_matches(job.info_hash, job);
		slot.record.on_piece_verified(job.piece, is_good);
		if (!is_good) {
			auto e = make_event(
				event_kind::hash_failed, job.info_hash, "verification: the device differs from the torrent");
			e.piece = to_int(job.piece);
			emit(self, std::move(e));
		}
	}
	continue_verify(self, slot);
}

void_reply start_verify(self_pointer self, torrent_slot &slot)
{
	if (auto const started = slot.record.verify_started(); !started)
		return started;
	slot.verify_next = 0;
	slot.verify_failure.reset();
	send_verify_jobs(self, slot);
	return {};
}

/// add --verify: as soon as everything is on stable storage.
void start_verify_if_wanted(self_pointer self, torrent_slot &slot)
{
	if (!slot.wants_verify || !slot.record.row().is_synced || slot.is_removed || self->state.is_closed)
		return;
	slot.wants_verify = false;
	if (auto const started = start_verify(self, slot); !started)
		emit(self,
			make_event(event_kind::warning, slot.record.added().info_hash,
				"not verified: " + to_string(started.failure())));
}

void end_warm_if_over(self_pointer self, torrent_slot &slot)
{
	if (!slot.warming->is_over(router_of(*slot.record.added().target_storage).partitions()))
		return;
	auto const course = *std::exchange(slot.warming, std::nullopt);
	slot.record.warm_ended();
	auto const size = slot.record.row().size_bytes;
	auto e = make_event(event_kind::torrent_warmed, slot.record.added().info_hash);
	e.new_value = std::to_string(course.cached_bytes());
	e.text = e.new_value + " of " + std::to_string(size) + " bytes are in the cache";
	e.failure = course.failure();
	emit(self, std::move(e));
}

void send_warm_jobs(self_pointer self, torrent_slot &slot)
{
	if (self->state.is_closed || slot.is_removed || !slot.record.may_warm())
		slot.warming->cancel();
	auto const partitions = router_of(*slot.record.added().target_storage).partitions();
	while (slot.warming->under_way() < warm_stretches_per_partition * partitions) {
		auto const stretch = slot.warming->next(partitions);
		if (!stretch)
			break;
		auto job = std::make_unique<session_job>();
		job->kind = job_kind::warm;
		job->target = slot.record.added().target_storage;
		job->piece = stretch->piece;
		job->offset_bytes = stretch->offset_bytes;
		job->length_bytes = stretch->length_bytes;
		job->info_hash = slot.record.added().info_hash;
		job->what = purpose::warm;
		send_job(self, std::move(job));
	}
	end_warm_if_over(self, slot);
}

void on_warm_job(self_pointer self, torrent_slot &slot, session_job const &job)
{
	slot.warming->ended(job.length_bytes, job.cached_bytes, job.failure);
	slot.record.on_warmed(slot.warming->cached_bytes());
	if (job.failure) {
		slot.record.on_read_error(*job.failure);
		slot.record.note_error(*job.failure, unix_ms_now());
	}
	send_warm_jobs(self, slot);
}

void on_sync_done(self_pointer self, torrent_slot &slot, std::optional<error> const &failure)
{
	auto const had_failed = slot.record.failure().has_value();
	slot.record.sync_ended(failure);
	if (!had_failed && slot.record.failure()) {
		stop_failed(self, slot);
	} else if (slot.record.row().is_synced) {
		slot.record.note_times(unix_ms_now());
		keep_durable_pieces(self, slot, std::vector<bool>(slot.durable_pieces.size(), true));
		emit(self,
			make_event(
				event_kind::torrent_synced, slot.record.added().info_hash, "complete and on stable storage"));
		start_verify_if_wanted(self, slot);
	}
	publish_state(self, slot);
}

/// The failed torrent's remains are gone from the partitions: start over from what the device holds.
void on_recovered(self_pointer self, torrent_slot &slot)
{
	auto const &info_hash = slot.record.added().info_hash;
	slot.record.added().target_storage->clear_failure();
	if (self->state.is_closed || slot.is_removed)
		return;
	auto done = self->state.session->recheck(info_hash);
	if (done)
		done = self->state.session->resume(info_hash);
	if (!done)
		fail_torrent(self, slot, done.failure());
	publish_state(self, slot);
}

void on_own_job(self_pointer self, session_job const &job)
{
	--self->state.own_jobs;
	auto const found = self->state.torrents.find(job.info_hash);
	if (found == self->state.torrents.end() || found->second.record.added().target_storage != job.target)
		return; // removed meanwhile
	auto &slot = found->second;
	if (job.what == purpose::verify) {
		on_verify_job(self, slot, job);
		return;
	}
	if (job.what == purpose::warm) {
		on_warm_job(self, slot, job);
		return;
	}
	slot.is_job_pending = false;
	switch (job.what) {
	case purpose::sync:
		on_sync_done(self, slot, job.failure);
		break;
	case purpose::checkpoint:
		on_checkpoint_done(self, slot, job.failure);
		break;
	case purpose::recover:
		on_recovered(self, slot);
		break;
	case purpose::verify:
	case purpose::warm:
		break; // handled above
	}
	start_sync_if_due(self, slot);
}

void finish_removal(self_pointer self, std::string const &info_hash)
{
	auto const found = self->state.torrents.find(info_hash);
	if (found == self->state.torrents.end())
		return;
	emit(self, make_event(event_kind::torrent_removed, info_hash, found->second.record.added().name));
	if (self->state.keeper)
		caf::anon_send(self->state.keeper, erase_atom::value, info_hash);
	auto const promises = std::move(found->second.removal_promises);
	self->state.torrents.erase(found);
	for (auto promise : promises)
		promise.deliver(void_reply{});
}

void on_peer_fact(self_pointer self, session_fact const &fact, event_kind kind)
{
	auto e = make_event(kind, fact.info_hash, fact.text);
	e.peer = fact.peer;
	emit(self, std::move(e));
}

void emit_disk_error(self_pointer self, session_fact const &fact)
{
	auto e = make_event(event_kind::disk_error, fact.info_hash, to_string(*fact.failure));
	e.failure = fact.failure;
	e.piece = fact.piece;
	emit(self, std::move(e));
}

void on_disk_fact(self_pointer self, torrent_slot &slot, session_fact const &fact)
{
	emit_disk_error(self, fact);
	slot.record.note_error(*fact.failure, unix_ms_now());
	if (fact.is_fatal)
		fail_torrent(self, slot, *fact.failure);
	else {
		slot.record.on_read_error(*fact.failure);
		slot.read_failure = fact.failure;
	}
}

void on_fact(self_pointer self, session_fact const &fact)
{
	if (fact.what == fact_kind::removed) {
		finish_removal(self, fact.info_hash);
		return;
	}
	if (fact.what == fact_kind::listen_failed || fact.info_hash.empty()) {
		emit(self, make_event(event_kind::warning, {}, fact.text));
		return;
	}
	auto const found = self->state.torrents.find(fact.info_hash);
	if (found == self->state.torrents.end())
		return;
	auto &slot = found->second;
	switch (fact.what) {
	case fact_kind::status: {
		auto const had_failed = slot.record.failure().has_value();
		slot.record.on_status(fact.status);
		slot.record.added().target_storage->set_readers(
			fact.status.peers - std::min(fact.status.peers, fact.status.seeds));
		slot.record.sample_rates(monotonic_clock::now());
		if (!had_failed && slot.record.failure())
			stop_failed(self, slot);
		break;
	}
	case fact_kind::checked:
		slot.record.on_checked();
		break;
	case fact_kind::hash_failed: {
		slot.record.on_hash_failed();
		auto e =
			make_event(event_kind::hash_failed, fact.info_hash, "a received piece does not match its hash");
		e.piece = fact.piece;
		emit(self, std::move(e));
		break;
	}
	case fact_kind::peer_connected:
		on_peer_fact(self, fact, event_kind::peer_connected);
		break;
	case fact_kind::peer_disconnected:
		on_peer_fact(self, fact, event_kind::peer_disconnected);
		break;
	case fact_kind::peer_banned:
		on_peer_fact(self, fact, event_kind::peer_banned);
		break;
	case fact_kind::tracker_error:
		on_peer_fact(self, fact, event_kind::tracker_error);
		break;
	case fact_kind::disk_error:
		on_disk_fact(self, slot, fact);
		break;
	case fact_kind::torrent_error:
		// The session stops a torrent for a failed read, but does not say which.
		fail_torrent(self, slot, slot.read_failure.value_or(*fact.failure));
		break;
	case fact_kind::warning:
		emit(self, make_event(event_kind::warning, fact.info_hash, fact.text));
		break;
	case fact_kind::removed:
	case fact_kind::listen_failed:
		break; // handled above
	}
	if (slot.record.note_times(unix_ms_now()))
		keep(self, slot);
	start_sync_if_due(self, slot);
	start_verify_if_wanted(self, slot);
	publish_state(self, slot);
}

void collect_facts(self_pointer self)
{
	if (self->state.is_closed)
		return;
	for (auto const &fact : self->state.session->collect())
		on_fact(self, fact);
}

void schedule_tick(self_pointer self)
{
	if (self->state.is_ticking || self->state.is_closed || self->state.torrents.empty())
		return;
	self->state.is_ticking = true;
	self->delayed_send(self, timeouts::status_interval, tick_atom::value);
}

/// One of the last run that cannot go on stays in sight, and what was kept of it stays where it is.
void leave_behind(self_pointer self, add_request const &request, error failure)
{
	auto const &info_hash = request.known_info_hash;
	auto &left = self->state.left_behind[info_hash];
	left.request = std::make_shared<add_request const>(request);
	auto &row = left.row;
	row.info_hash = info_hash;
	row.name = request.known_name.empty() ? info_hash : request.known_name;
	row.target = request.target;
	row.state = torrent_state::error;
	row.is_seed = request.is_seed;
	row.added_unix_ms = *request.added_unix_ms;
	row.times = request.known_times;
	row.failure = std::move(failure);
	auto evidence = std::make_shared<torrent_evidence>();
	evidence->device = request.known_device.value_or(device_identity{});
	evidence->errors.push_back({unix_ms_now(), *row.failure});
	evidence->errors_total = 1;
	row.evidence = std::move(evidence);
	auto e = make_event(event_kind::torrent_error, info_hash,
		"the torrent does not go on on " + request.target + " after the restart: " + to_string(*row.failure));
	e.failure = row.failure;
	emit(self, std::move(e));
}

torrent_evidence gather_evidence(added_torrent const &added)
{
	torrent_evidence evidence;
	evidence.model = device_model(added.target);
	evidence.disk = added.target_storage->claim().disk().name;
	return evidence;
}

text_reply add_torrent(self_pointer self, add_request const &request)
{
	if (self->state.is_closed)
		return closing();
	auto added = self->state.session->add(request);
	if (!added) {
		if (request.added_unix_ms && !self->state.torrents.contains(request.known_info_hash))
			leave_behind(self, request, added.failure());
		return added.failure();
	}
	auto const info_hash = added->info_hash;
	self->state.left_behind.erase(info_hash);
	auto const text = added->name + " on " + added->target;
	emit(self, make_event(event_kind::torrent_added, info_hash, text));
	if (!added->doubt.empty())
		emit(self,
			make_event(event_kind::warning, info_hash,
				"all of the target is hashed again, since it is not as it was kept: " + added->doubt));

	auto own = std::make_shared<add_request>(request);
	own->is_check = request.is_check || !added->doubt.empty();
	own->known_pieces.clear();
	own->known_device.reset();
	own->known_failure.reset();
	auto const pieces = static_cast<std::size_t>(added->target_storage->pieces().piece_count());
	auto durable = added->pieces.empty() ? std::vector<bool>(pieces) : added->pieces;
	auto evidence = gather_evidence(*added);
	auto const device = identify_device(request.target);
	if (device)
		evidence.device = *device;
	auto const added_unix_ms = request.added_unix_ms.value_or(unix_ms_now());
	auto shown = *own;
	shown.known_failure = request.known_failure;
	torrent_slot slot(torrent_record(std::move(*added), shown, added_unix_ms, std::move(evidence)));
	slot.wants_verify = request.is_verify;
	slot.is_doubtful = std::exchange(own->is_check, false);
	slot.request = std::move(own);
	slot.durable_pieces = std::move(durable);
	if (self->state.keeper) {
		if (device)
			slot.device = *device;
		else
			emit(self,
				make_event(event_kind::warning, info_hash,
					"the target cannot be told from another one: " + to_string(device.failure())));
	}
	auto &there = self->state.torrents.emplace(info_hash, std::move(slot)).first->second;
	if (there.record.failure())
		publish_state(self, there);
	apply_rates_or_warn(self);
	self->state.session->request_status();
	schedule_tick(self);
	return info_hash;
}

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

void_reply resume_torrent(self_pointer self, std::string const &info_hash)
{
	if (auto const left = self->state.left_behind.find(info_hash); left != self->state.left_behind.end()) {
		// The operator says that its device is there again, and that what went wrong before is mended.
		auto request = *left->second.request;
		request.is_paused = false;
		request.is_check = request.is_check || std::exchange(request.known_failure, std::nullopt).has_value();
		auto const added = add_torrent(self, request);
		if (!added)
			return added.failure();
		keep(self, self->state.torrents.at(*added));
		return {};
	}
	// What the session said before counts before.
	collect_facts(self);
	return with_torrent(self, info_hash, [self, &info_hash](torrent_slot &slot) -> void_reply {
		if (slot.is_job_pending || slot.record.is_verifying()) {
			if (slot.record.failure())
				return make_error(errc::invalid_argument, "the failed operation is still ending; try again");
		}
		slot.read_failure.reset();
		bool const had_failed = slot.record.resume();
		if (had_failed)
			slot.wants_verify = slot.request->is_verify;
		keep(self, slot);
		if (!had_failed)
			return self->state.session->resume(info_hash);
		send_to_all(self, slot, job_kind::discard, purpose::recover);
		return {};
	});
}

caf::result<void_reply> remove_torrent(self_pointer self, std::string const &info_hash)
{
	auto promise = self->make_response_promise<void_reply>();
	if (self->state.left_behind.erase(info_hash) > 0) {
		emit(self, make_event(event_kind::torrent_removed, info_hash));
		if (self->state.keeper)
			caf::anon_send(self->state.keeper, erase_atom::value, info_hash);
		promise.deliver(void_reply{});
		return promise;
	}
	auto const begun = with_torrent(self, info_hash, [self, &info_hash, &promise](torrent_slot &slot) {
		auto const asked = self->state.session->remove(info_hash);
		if (asked) {
			slot.is_removed = true;
			slot.record.added().target_storage->leave();
			slot.removal_promises.push_back(promise);
		}
		return asked;
	});
	if (!begun)
		promise.deliver(begun);
	return promise;
}

void_reply verify_torrent(self_pointer self, std::string const &info_hash)
{
	return with_torrent(self, info_hash, [self](torrent_slot &slot) { return start_verify(self, slot); });
}

void_reply warm_torrent(self_pointer self, std::string const &info_hash)
{
	return with_torrent(self, info_hash, [self](torrent_slot &slot) -> void_reply {
		if (auto const started = slot.record.warm_started(); !started)
			return started;
		slot.warming.emplace(slot.record.added().target_storage->pieces());
		send_warm_jobs(self, slot);
		return {};
	});
}

void_reply tune_torrent(self_pointer self, std::string const &info_hash, torrent_tuning const &tuning)
{
	return with_torrent(self, info_hash, [self, &tuning](torrent_slot &slot) -> void_reply {
		slot.record.tune(tuning);
		auto const row = slot.record.row();
		auto request = std::make_shared<add_request>(*slot.request);
		request->limits = row.limits;
		request->priority = row.priority;
		slot.request = std::move(request);
		keep(self, slot);
		return apply_rates(self);
	});
}

void_reply set_in_session(self_pointer self, session_setting const &setting)
{
	if (self->state.is_closed)
		return closing();
	if (!rate_policy::owns(setting))
		return self->state.session->apply(setting);
	if (auto const taken = self->state.rates.set(setting); !taken)
		return taken;
	return apply_rates(self);
}

void finish_stop_if_idle(self_pointer self)
{
	if (!self->state.stop_promise || self->state.own_jobs != 0)
		return;
	auto const &failure = self->state.stop_failure;
	self->state.stop_promise->deliver(failure ? void_reply(*failure) : void_reply{});
	self->state.stop_promise.reset();
	self->quit();
}

/// The answer comes when the torrent is kept as well, so that who was told of it finds it again after a kill.
/// One that cannot be kept is told of by the keeper, and added all the same.
caf::result<text_reply> add_and_keep(self_pointer self, add_request const &request)
{
	auto added = add_torrent(self, request);
	if (!added || !self->state.keeper)
		return added;
	auto const info_hash = *added;
	auto promise = self->make_response_promise<text_reply>();
	++self->state.own_jobs;
	auto answer = [self, promise, info_hash]() mutable {
		--self->state.own_jobs;
		promise.deliver(text_reply(info_hash));
		finish_stop_if_idle(self);
	};
	self->request(self->state.keeper, timeouts::keep_torrent, save_atom::value,
			kept_of(self->state.torrents.at(info_hash)))
		.then(answer, [self, info_hash, answer](caf::error const &failure) mutable {
			emit(self,
				make_event(event_kind::warning, info_hash,
					"it is not known yet whether a restart will find it: " +
						to_string(from_caf(failure, "the state keeper"))));
			answer();
		});
	return promise;
}

caf::result<void_reply> stop_session(self_pointer self)
{
	auto promise = self->make_response_promise<void_reply>();
	if (self->state.stop_promise) {
		promise.deliver(void_reply{closing()});
		return promise;
	}
	collect_facts(self);
	for (auto &[info_hash, slot] : self->state.torrents) {
		auto const state = slot.record.state();
		bool const is_checked = state != torrent_state::checking && state != torrent_state::error;
		if (slot.record.row().is_seed || slot.record.row().is_synced || slot.is_removed || !is_checked)
			continue;
		if (auto pieces = self->state.session->pieces(info_hash))
			slot.syncing_pieces = *std::move(pieces);
	}
	self->state.is_closed = true;
	for (auto &[info_hash, slot] : self->state.torrents)
		slot.record.added().target_storage->leave();
	self->state.session->close();
	// What was dirty was written only now: a device that failed at it must not go unheard.
	for (auto const &fact : self->state.session->collect()) {
		if (fact.what != fact_kind::disk_error || !fact.is_fatal)
			continue;
		if (!self->state.stop_failure)
			self->state.stop_failure = fact.failure;
		emit_disk_error(self, fact);
		if (auto const found = self->state.torrents.find(fact.info_hash);
			found != self->state.torrents.end()) {
			found->second.syncing_pieces.clear();
			lose_durable_pieces(self, found->second);
		}
	}
	// The rest was written and flushed as its storage was let go.
	for (auto &[info_hash, slot] : self->state.torrents) {
		if (!slot.syncing_pieces.empty())
			keep_durable_pieces(self, slot, std::exchange(slot.syncing_pieces, {}));
	}
	for (auto &[info_hash, slot] : self->state.torrents) {
		for (auto &waiting : slot.removal_promises)
			waiting.deliver(void_reply{});
	}
	self->state.stop_promise = promise;
	finish_stop_if_idle(self);
	return promise;
}

} // namespace

session_actor::behavior_type session(self_pointer self, std::shared_ptr<session_config> config)
{
	name_own_thread(*self, "session");
	self->state.session = std::move(config->session);
	self->state.keeper = config->keeper;
	self->state.checkpoints = config->checkpoints;
	self->state.verify_pacer.set(config->verifying, monotonic_clock::now());
	self->state.rates = std::move(config->rates);
	session_actor const me(self);
	self->state.sink = std::make_shared<session_job_sink>(me);
	self->state.session->set_wakeup([me] { caf::anon_send(me, wakeup_atom::value); });
	apply_rates_or_warn(self);

	return {
		[self](add_atom, add_request const &request) { return add_and_keep(self, request); },
		[self](pause_atom, std::string const &info_hash) {
			return with_torrent(self, info_hash, [self, &info_hash](torrent_slot &slot) {
				auto const paused = self->state.session->pause(info_hash);
				if (paused) {
					slot.record.pause();
					keep(self, slot);
				}
				return paused;
			});
		},
		[self](resume_atom, std::string const &info_hash) { return resume_torrent(self, info_hash); },
		[self](remove_atom, std::string const &info_hash) { return remove_torrent(self, info_hash); },
		[self](verify_atom, std::string const &info_hash) { return verify_torrent(self, info_hash); },
		[self](warm_atom, std::string const &info_hash) { return warm_torrent(self, info_hash); },
		[self](announce_atom, std::string const &info_hash) {
			return with_torrent(self, info_hash,
				[self, &info_hash](torrent_slot &) { return self->state.session->reannounce(info_hash); });
		},
		[self](peers_atom, std::string const &info_hash) -> peers_reply {
			if (self->state.is_closed)
				return closing();
			if (self->state.left_behind.contains(info_hash))
				return std::vector<peer_row>();
			return self->state.session->peers(info_hash);
		},
		[self](status_atom) -> rows_reply {
			auto rows = rows_of(self);
			for (auto const &[info_hash, left] : self->state.left_behind)
				rows.push_back(left.row);
			return rows;
		},
		[self](tune_atom, std::string const &info_hash, torrent_tuning const &tuning) {
			return tune_torrent(self, info_hash, tuning);
		},
		[self](setting_atom, session_setting const &setting) { return set_in_session(self, setting); },
		[self](limits_atom, checkpoint_limits const &limits) { self->state.checkpoints = limits; },
		[self](limits_atom, verify_rate rate) { self->state.verify_pacer.set(rate, monotonic_clock::now()); },
		[self](verify_atom) { on_verify_tick(self); },
		[self](wakeup_atom) { collect_facts(self); },
		[self](tick_atom) {
			self->state.is_ticking = false;
			if (self->state.is_closed)
				return;
			self->state.session->request_status();
			auto const now = monotonic_clock::now();
			for (auto &[info_hash, slot] : self->state.torrents) {
				slot.record.sample_rates(now);
				tell_of_retries(self, slot);
				start_checkpoint_if_due(self, slot, now);
				if (!slot.record.wants_peers())
					continue;
				if (auto const asked = self->state.session->connect_named_peers(info_hash); !asked)
					emit(self, make_event(event_kind::warning, info_hash, to_string(asked.failure())));
			}
			apply_rates_or_warn(self);
			schedule_tick(self);
		},
		[self](finished_job &message) {
			auto const job = std::move(message->job);
			message.reset();
			on_own_job(self, static_cast<session_job const &>(*job));
			finish_stop_if_idle(self);
		},
		[self](stop_atom) { return stop_session(self); },
	};
}

} // namespace ezio
