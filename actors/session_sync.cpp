#include "actors/session_parts.hpp"

#include <utility>

namespace ezio::session_parts
{

void lose_durable_pieces(self_pointer self, torrent_slot &slot)
{
	slot.is_doubtful = true;
	slot.durable_pieces.assign(slot.durable_pieces.size(), false);
	slot.checkpoints = checkpoint_policy(monotonic_clock::now());
	keep(self, slot);
}

void keep_durable_pieces(self_pointer self, torrent_slot &slot, std::vector<bool> pieces)
{
	slot.durable_pieces = std::move(pieces);
	slot.is_doubtful = false;
	keep(self, slot);
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

void start_checkpoint_if_due(self_pointer self, torrent_slot &slot, monotonic_time now)
{
	auto const &row = slot.record.row();
	// One of which a part is verified receives on.
	bool const is_receiving = row.state == torrent_state::downloading ||
		(row.state == torrent_state::verifying && !slot.record.is_complete());
	if (!self->state.keeper || row.is_seed || !is_receiving || slot.is_job_pending || slot.is_removed ||
		self->state.is_closed || !slot.checkpoints.is_due(self->state.checkpoints, now, row.done_bytes))
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

namespace
{

void end_sync(self_pointer self, torrent_slot &slot, std::optional<error> const &failure)
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

} // namespace

void on_sync_done(self_pointer self, torrent_slot &slot, std::optional<error> const &failure)
{
	bool const is_to_be_kept = self->state.keeper && !failure && !slot.record.failure() &&
		slot.record.is_complete() && !slot.is_removed && !self->state.is_closed;
	if (!is_to_be_kept)
		return end_sync(self, slot, failure);
	// Who is told that it is synced may cut the power at once, and a restart must know as much.
	slot.durable_pieces.assign(slot.durable_pieces.size(), true);
	slot.is_doubtful = false;
	keep_then(self, slot,
		[self, info_hash = slot.record.added().info_hash, target = slot.record.added().target_storage] {
			auto const found = self->state.torrents.find(info_hash);
			if (found == self->state.torrents.end() || found->second.record.added().target_storage != target)
				return;
			end_sync(self, found->second, std::nullopt);
			start_sync_if_due(self, found->second);
		});
}

} // namespace ezio::session_parts
