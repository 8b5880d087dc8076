#include "actors/session_parts.hpp"

#include "actors/core/job_router.hpp"
#include "actors/timeouts.hpp"

#include <algorithm>
#include <utility>

namespace ezio::session_parts
{
namespace
{

/// Stretches that a warm-up keeps in flight for each partition: one is read while the next is on its way.
constexpr std::size_t warm_stretches_per_partition = 2;

bool are_of_one_cache(torrent_slot const &one, torrent_slot const &other)
{
	return one.record.added().target_storage->route() == other.record.added().target_storage->route();
}

/// May it begin? Two at a time would push what the other one has brought out of the cache they share, and
/// neither would find it full.
bool has_turn(self_pointer self, torrent_slot const &slot)
{
	auto const &all = self->state.torrents;
	return std::none_of(all.begin(), all.end(), [&slot](auto const &entry) {
		auto const &other = entry.second;
		return &other != &slot && other.warming && other.warming->under_way() > 0 &&
			are_of_one_cache(slot, other);
	});
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
	look_at_waiting_warm_ups(self);
}

void send_warm_jobs(self_pointer self, torrent_slot &slot)
{
	if (self->state.is_closed || slot.is_removed || !slot.record.may_warm())
		slot.warming->cancel();
	auto const partitions = router_of(*slot.record.added().target_storage).partitions();
	if (slot.warming->under_way() == 0 && !slot.warming->is_over(partitions) && !has_turn(self, slot))
		return; // whose turn it is comes back for it
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

/// A piece whose last stretch was read can be sent, one of which a read failed cannot.
void note_readable(torrent_slot &slot, session_job const &job)
{
	auto const piece = to_int(job.piece);
	if (job.failure) {
		slot.warm_read.erase(piece);
		if (job.failure->code == errc::io_error || job.failure->code == errc::unexpected_end)
			job.target->unreadable()->add(job.piece);
		return;
	}
	auto &read = slot.warm_read[piece];
	read += job.length_bytes;
	if (read < job.target->pieces().piece_size(job.piece))
		return;
	slot.warm_read.erase(piece);
	job.target->unreadable()->remove(job.piece);
}

} // namespace

void look_at_waiting_warm_ups(self_pointer self)
{
	for (auto &[info_hash, slot] : self->state.torrents)
		if (slot.warming && slot.warming->under_way() == 0)
			send_warm_jobs(self, slot);
}

void offer_unreadable_again(self_pointer self, torrent_slot &slot)
{
	auto const now = self->clock().now();
	if (!slot.unreadable.look().empty())
		slot.unreadable_since = now;
	else if (slot.unreadable.is_any() && now - slot.unreadable_since >= timeouts::retry_unreadable)
		slot.record.added().target_storage->unreadable()->clear();
}

void on_warm_job(self_pointer self, torrent_slot &slot, session_job const &job)
{
	slot.warming->ended(job.length_bytes, job.cached_bytes, job.failure);
	slot.record.on_warmed(slot.warming->cached_bytes());
	note_readable(slot, job);
	if (job.failure) {
		slot.record.on_read_error(*job.failure);
		slot.record.note_error(*job.failure, unix_ms_now());
	}
	send_warm_jobs(self, slot);
}

void_reply warm_torrent(self_pointer self, std::string const &info_hash)
{
	return with_torrent(self, info_hash, [self](torrent_slot &slot) -> void_reply {
		if (auto const started = slot.record.warm_started(); !started)
			return started;
		slot.warm_read.clear();
		slot.warming.emplace(slot.record.added().target_storage->pieces());
		send_warm_jobs(self, slot);
		return {};
	});
}

} // namespace ezio::session_parts
