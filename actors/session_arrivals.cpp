#include "actors/session_parts.hpp"

#include "actors/caf_error.hpp"
#include "actors/timeouts.hpp"

#include <utility>

namespace ezio::session_parts
{
namespace
{

using arrival = session_state::arrival;

torrent_row row_of(torrent_outline const &outline, add_request const &request)
{
	torrent_row row;
	row.info_hash = outline.info_hash;
	row.name = outline.name;
	row.target = request.target;
	row.state = torrent_state::checking;
	row.is_seed = request.is_seed;
	row.size_bytes = outline.size_bytes;
	row.pieces_total = outline.pieces;
	row.piece_bytes = outline.piece_bytes;
	row.added_unix_ms = request.added_unix_ms.value_or(unix_ms_now());
	row.times = request.known_times;
	row.limits = request.limits;
	row.priority = request.priority;
	auto evidence = std::make_shared<torrent_evidence>();
	evidence->device = request.known_device.value_or(device_identity{});
	row.evidence = std::move(evidence);
	return row;
}

/// What a restart finds of one of the last run that has not come in yet.
kept_torrent_ptr kept_of(arrival const &coming)
{
	auto const &request = *coming.request;
	auto own = std::make_shared<add_request>(request);
	own->is_check = false;
	own->known_pieces.clear();
	own->known_device.reset();
	own->known_failure.reset();
	auto kept = std::make_shared<kept_torrent>();
	kept->info_hash = coming.row.info_hash;
	kept->request = std::move(own);
	kept->device = request.known_device.value_or(device_identity{});
	kept->added_unix_ms = coming.row.added_unix_ms;
	kept->is_paused = request.is_paused;
	kept->is_doubtful = request.is_check;
	kept->pieces = request.known_pieces;
	kept->pieces.resize(coming.row.pieces_total);
	kept->name = coming.row.name;
	kept->times = request.known_times;
	kept->failure = request.known_failure;
	return kept;
}

/// Its gate has one examination less to do.
void leave_gate(self_pointer self, std::string const &target)
{
	auto const gate = self->state.gates.find(target);
	if (--gate->second.under_way > 0)
		return;
	self->state.admissions.retire(gate->second.actor);
	self->state.gates.erase(gate);
}

void finish_removal(self_pointer self, arrival coming)
{
	// Whoever is told that it is gone may use its target at once.
	coming.addition.reset();
	emit(self, make_event(event_kind::torrent_removed, coming.row.info_hash, coming.row.name));
	forget_then(self, coming.row.info_hash, [promises = std::move(coming.removal_promises)]() mutable {
		for (auto &promise : promises)
			promise.deliver(void_reply{});
	});
}

void refuse(self_pointer self, arrival coming, error const &failure)
{
	coming.addition.reset();
	// Who asked has been told that it takes too long, and learns of the end in another way.
	if (self->clock().now() - coming.since >= timeouts::add_torrent) {
		auto e = make_event(event_kind::warning, coming.row.info_hash,
			coming.row.name + " was not added to " + coming.row.target + ": " + to_string(failure));
		e.failure = failure;
		emit(self, std::move(e));
	}
	turn_away(self, *coming.request, failure);
	for (auto const &answer : coming.waiting)
		answer(failure);
}

void on_examined(
	self_pointer self, std::string const &info_hash, std::string const &target, void_reply const &outcome)
{
	leave_gate(self, target);
	auto found = self->state.arrivals.extract(info_hash);
	if (found.empty())
		return; // the session closes
	auto coming = std::move(found.mapped());
	if (coming.is_removed)
		finish_removal(self, std::move(coming));
	else if (!outcome)
		refuse(self, std::move(coming), outcome.failure());
	else
		take_in(self, coming);
}

void enter_gate(self_pointer self, arrival const &coming)
{
	auto const &target = coming.row.target;
	auto &gate = self->state.gates[target];
	if (gate.under_way++ == 0)
		gate.actor = self->state.admissions.spawn(target);
	// However long the device takes: nobody waits for it here, and only it knows when it is free again.
	self->request(gate.actor, caf::infinite, admit_atom::value, coming.addition)
		.then([self, info_hash = coming.row.info_hash, target](
				  void_reply const &outcome) { on_examined(self, info_hash, target, outcome); },
			[self, info_hash = coming.row.info_hash, target](caf::error const &failure) {
				on_examined(self, info_hash, target, from_caf(failure, "the examination of " + target));
			});
}

} // namespace

void begin_arrival(self_pointer self, std::shared_ptr<add_request const> request,
	std::function<void(text_reply const &)> answer)
{
	if (self->state.is_closed)
		return answer(closing());
	auto begun = self->state.session->begin(request);
	if (!begun) {
		turn_away(self, *request, begun.failure());
		return answer(begun.failure());
	}
	auto const &info_hash = (*begun)->outline().info_hash;
	if (auto const there = self->state.arrivals.find(info_hash); there != self->state.arrivals.end())
		return answer(make_error(errc::already_exists,
			there->second.is_removed ? "torrent " + info_hash + " is still being removed; try again"
									 : "torrent " + info_hash + " was added before; its target, " +
					there->second.row.target + ", is still being examined"));
	self->state.left_behind.erase(info_hash);
	auto &coming = self->state.arrivals[info_hash];
	coming.row = row_of((*begun)->outline(), *request);
	coming.addition = std::move(*begun);
	coming.request = std::move(request);
	coming.since = self->clock().now();
	coming.waiting.push_back(std::move(answer));
	enter_gate(self, coming);
}

session_state::arrival *find_arrival(self_pointer self, std::string const &info_hash)
{
	auto const found = self->state.arrivals.find(info_hash);
	return found == self->state.arrivals.end() || found->second.is_removed ? nullptr : &found->second;
}

void change_arrival(
	self_pointer self, session_state::arrival &coming, std::function<void(add_request &)> const &change)
{
	auto request = std::make_shared<add_request>(*coming.request);
	change(*request);
	coming.row.limits = request->limits;
	coming.row.priority = request->priority;
	coming.request = std::move(request);
	// A new one is kept when it has come in, and was promised to nobody before.
	if (self->state.keeper && coming.request->added_unix_ms)
		caf::anon_send(self->state.keeper, save_atom::value, kept_of(coming));
}

void remove_arrival(session_state::arrival &coming, caf::typed_response_promise<void_reply> promise)
{
	coming.is_removed = true;
	coming.addition->abandon();
	coming.removal_promises.push_back(std::move(promise));
	for (auto const &answer : std::exchange(coming.waiting, {}))
		answer(make_error(errc::aborted, "it was removed before its target had been examined"));
}

void give_up_arrivals(self_pointer self)
{
	for (auto &[info_hash, coming] : std::exchange(self->state.arrivals, {})) {
		coming.addition->abandon();
		for (auto const &answer : coming.waiting)
			answer(closing());
		for (auto &promise : coming.removal_promises)
			promise.deliver(void_reply{});
	}
}

error still_arriving(session_state::arrival const &coming)
{
	auto e = make_error(errc::invalid_argument, "its target is still being examined; try again");
	e.device = coming.row.target;
	return e;
}

} // namespace ezio::session_parts
