#include "actors/session_parts.hpp"

#include <utility>

namespace ezio::session_parts
{
namespace
{

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
	evidence.device = added.device.value_or(device_identity{});
	evidence.model = added.model;
	evidence.disk = added.target_storage->claim().disk().name;
	return evidence;
}

void tell_of_addition(self_pointer self, added_torrent const &added)
{
	emit(self, make_event(event_kind::torrent_added, added.info_hash, added.name + " on " + added.target));
	if (!added.doubt.empty())
		emit(self,
			make_event(event_kind::warning, added.info_hash,
				"all of the target is hashed again, since it is not as it was kept: " + added.doubt));
	if (auto const &refusal = added.target_storage->claim().geometry().direct_refusal; !refusal.empty())
		emit(self,
			make_event(event_kind::warning, added.info_hash,
				added.target +
					" is used through the page cache, which is slower and costs more: direct I/O is not "
					"to be had (" +
					refusal + ")"));
	if (self->state.keeper && added.identity_failure)
		emit(self,
			make_event(event_kind::warning, added.info_hash,
				"the target cannot be told from another one: " + to_string(*added.identity_failure)));
}

torrent_slot make_slot(added_torrent added, add_request const &request, std::uint64_t added_unix_ms)
{
	auto own = std::make_shared<add_request>(request);
	own->is_check = request.is_check || !added.doubt.empty();
	own->known_pieces.clear();
	own->known_device.reset();
	own->known_failure.reset();
	auto const pieces = static_cast<std::size_t>(added.target_storage->pieces().piece_count());
	auto durable = added.pieces.empty() ? std::vector<bool>(pieces) : added.pieces;
	auto const device = added.device.value_or(device_identity{});
	auto evidence = gather_evidence(added);
	auto shown = *own;
	shown.known_failure = request.known_failure;
	torrent_slot slot(torrent_record(std::move(added), shown, added_unix_ms, std::move(evidence)));
	slot.wants_verify = request.is_verify;
	slot.is_doubtful = std::exchange(own->is_check, false);
	slot.request = std::move(own);
	slot.durable_pieces = std::move(durable);
	slot.device = device;
	return slot;
}

/// Answers when the torrent is kept.
void answer_when_kept(
	self_pointer self, torrent_slot const &slot, std::vector<std::function<void(text_reply const &)>> waiting)
{
	auto const info_hash = slot.record.added().info_hash;
	auto answer = [waiting = std::move(waiting), info_hash] {
		for (auto const &one : waiting)
			one(text_reply(info_hash));
	};
	keep_then(self, slot, std::move(answer));
}

} // namespace

void turn_away(self_pointer self, add_request const &request, error const &failure)
{
	auto const &info_hash = request.known_info_hash;
	if (request.added_unix_ms && !self->state.torrents.contains(info_hash) &&
		!self->state.arrivals.contains(info_hash))
		leave_behind(self, request, failure);
}

void take_in(self_pointer self, session_state::arrival const &coming)
{
	auto added = self->state.session->add(*coming.addition, *coming.request);
	if (!added) {
		turn_away(self, *coming.request, added.failure());
		for (auto const &answer : coming.waiting)
			answer(added.failure());
		return;
	}
	auto const info_hash = added->info_hash;
	tell_of_addition(self, *added);
	auto &there =
		self->state.torrents
			.emplace(info_hash, make_slot(std::move(*added), *coming.request, coming.row.added_unix_ms))
			.first->second;
	there.wants_verify |= coming.wants_verify;
	if (there.record.failure())
		publish_state(self, there);
	apply_rates_or_warn(self);
	self->state.session->request_status();
	schedule_tick(self);
	answer_when_kept(self, there, coming.waiting);
}

} // namespace ezio::session_parts
