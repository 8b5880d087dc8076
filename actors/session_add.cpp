#include "actors/session_parts.hpp"

#include "actors/caf_error.hpp"
#include "actors/timeouts.hpp"

#include <utility>

namespace ezio::session_parts
{
namespace
{

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

} // namespace

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

} // namespace ezio::session_parts
