#include "actors/session_parts.hpp"

#include "actors/core/job_router.hpp"
#include "actors/core/sha_lanes.hpp"
#include "actors/timeouts.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ezio::session_parts
{
namespace
{

/// What a verification keeps in flight: as many pieces for each partition as that reads side by side, and of
/// small ones so many bytes in all that it does not run dry. They hold memory only while they are hashed.
constexpr std::size_t verify_bytes = 64 * 1024 * 1024;
constexpr std::size_t verify_pieces_per_partition = sha_lanes_max;

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
		if (!slot.record.is_to_verify(piece_index{slot.verify_next})) {
			++slot.verify_next;
			continue;
		}
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
	auto const read = slot.record.verify_total();
	auto const all = slot.record.row().pieces_total;
	e.text = e.failure ? to_string(*e.failure)
		: read == all
		? "every piece on the device matches"
		: "every piece that is there matches: " + std::to_string(read) + " of " + std::to_string(all);
	emit(self, std::move(e));
	if (slot.record.failure() && !had_failed)
		stop_failed(self, slot);
	else
		keep(self, slot);
	start_verify_if_wanted(self, slot);
	publish_state(self, slot);
	answer_waiting_resumes(self, slot);
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

void_reply start_verify(self_pointer self, torrent_slot &slot)
{
	std::vector<bool> there;
	if (!slot.record.is_complete()) {
		auto pieces = self->state.session->pieces(slot.record.added().info_hash);
		if (!pieces)
			return pieces.failure();
		there = *std::move(pieces);
	}
	if (auto const started = slot.record.verify_started(there); !started)
		return started;
	slot.verify_next = 0;
	slot.verify_failure.reset();
	send_verify_jobs(self, slot);
	return {};
}

} // namespace

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
		job.target->unreadable()->remove(job.piece);
		if (!is_good) {
			auto e = make_event(
				event_kind::hash_failed, job.info_hash, "verification: the device differs from the torrent");
			e.piece = to_int(job.piece);
			emit(self, std::move(e));
		}
	}
	continue_verify(self, slot);
}

void start_verify_if_wanted(self_pointer self, torrent_slot &slot)
{
	if (!slot.wants_verify || !slot.record.row().is_synced || slot.record.is_verifying() || slot.is_removed ||
		self->state.is_closed)
		return;
	slot.wants_verify = false;
	if (auto const started = start_verify(self, slot); !started)
		emit(self,
			make_event(event_kind::warning, slot.record.added().info_hash,
				"not verified: " + to_string(started.failure())));
}

caf::result<void_reply> verify_torrent(self_pointer self, std::string const &info_hash)
{
	if (self->state.left_behind.contains(info_hash)) {
		auto answer = resume_torrent(self, info_hash);
		if (auto *const coming = find_arrival(self, info_hash))
			coming->wants_verify = true;
		return answer;
	}
	// What the session said before counts before.
	collect_facts(self);
	auto const found = self->state.torrents.find(info_hash);
	if (found != self->state.torrents.end() && found->second.record.failure()) {
		auto promise = self->make_response_promise<void_reply>();
		resume_when_ended(self, info_hash, promise, true);
		return promise;
	}
	return with_torrent(self, info_hash, [self](torrent_slot &slot) -> void_reply {
		if (slot.record.is_complete() && !slot.record.row().is_synced) {
			slot.wants_verify = true; // it begins when the flush that is under way has ended
			return {};
		}
		return start_verify(self, slot);
	});
}

} // namespace ezio::session_parts
