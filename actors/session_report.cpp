#include "actors/session_parts.hpp"

#include "actors/caf_error.hpp"
#include "actors/timeouts.hpp"

#include <functional>
#include <utility>

namespace ezio::session_parts
{
namespace
{

/// The state keeper has done what it is told, or cannot: @p done.
template <class... What>
void when_kept(
	self_pointer self, std::string const &info_hash, std::function<void()> done, What const &...what)
{
	if (!self->state.keeper)
		return done();
	++self->state.own_jobs;
	auto const kept = [self, done = std::move(done)] {
		--self->state.own_jobs;
		done();
		finish_stop_if_idle(self);
	};
	self->request(self->state.keeper, timeouts::keep_torrent, what...)
		.then(kept, [self, info_hash, kept](caf::error const &failure) {
			emit(self,
				make_event(event_kind::warning, info_hash,
					"it is not known yet whether a restart will find it as it is: " +
						to_string(from_caf(failure, "the state keeper"))));
			kept();
		});
}

} // namespace

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

void emit_disk_error(self_pointer self, session_fact const &fact)
{
	auto e = make_event(event_kind::disk_error, fact.info_hash, to_string(*fact.failure));
	e.failure = fact.failure;
	e.piece = fact.piece;
	emit(self, std::move(e));
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

void keep_then(self_pointer self, torrent_slot const &slot, std::function<void()> done)
{
	auto const &info_hash = slot.record.added().info_hash;
	if (slot.is_removed)
		done();
	else
		when_kept(self, info_hash, std::move(done), save_atom::value, kept_of(slot));
}

void forget_then(self_pointer self, std::string const &info_hash, std::function<void()> done)
{
	when_kept(self, info_hash, std::move(done), erase_atom::value, info_hash);
}

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
	look_at_waiting_warm_ups(self);
}

void fail_torrent(self_pointer self, torrent_slot &slot, error const &failure)
{
	if (slot.record.fail(failure))
		stop_failed(self, slot);
}

} // namespace ezio::session_parts
