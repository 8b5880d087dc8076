#include "actors/session_parts.hpp"

#include <algorithm>
#include <utility>

namespace ezio::session_parts
{
namespace
{

void finish_removal(self_pointer self, std::string const &info_hash)
{
	auto const found = self->state.torrents.find(info_hash);
	if (found == self->state.torrents.end())
		return;
	emit(self, make_event(event_kind::torrent_removed, info_hash, found->second.record.added().name));
	auto promises = std::move(found->second.removal_promises);
	for (auto &waiting : found->second.waiting_resumes)
		waiting.promise.deliver(void_reply(no_such_torrent(info_hash)));
	self->state.torrents.erase(found);
	look_at_waiting_warm_ups(self);
	forget_then(self, info_hash, [promises = std::move(promises)]() mutable {
		for (auto &promise : promises)
			promise.deliver(void_reply{});
	});
}

void on_peer_fact(self_pointer self, session_fact const &fact, event_kind kind)
{
	auto e = make_event(kind, fact.info_hash, fact.text);
	e.peer = fact.peer;
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

} // namespace

void collect_facts(self_pointer self)
{
	if (self->state.is_closed)
		return;
	for (auto const &fact : self->state.session->collect())
		on_fact(self, fact);
}

} // namespace ezio::session_parts
