#include "actors/session_parts.hpp"

#include "actors/core/device_route.hpp"

#include <utility>

namespace ezio::session_parts
{
namespace
{

/// The failed torrent's remains are gone from the partitions: start over from what the device holds.
void on_recovered(self_pointer self, torrent_slot &slot)
{
	auto const &info_hash = slot.record.added().info_hash;
	slot.record.added().target_storage->clear_failure();
	slot.record.added().target_storage->unreadable()->clear();
	if (self->state.is_closed || slot.is_removed)
		return;
	auto done = self->state.session->recheck(info_hash);
	if (done)
		done = self->state.session->resume(info_hash);
	if (!done)
		fail_torrent(self, slot, done.failure());
	publish_state(self, slot);
}

} // namespace

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
	answer_waiting_resumes(self, slot);
}

} // namespace ezio::session_parts
