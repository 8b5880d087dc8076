#include "actors/session_parts.hpp"

#include <algorithm>
#include <utility>

namespace ezio::session_parts
{
namespace
{

/// The operator says that its device is there again, and that what went wrong before is mended.
void let_go_on(add_request &request)
{
	request.is_paused = false;
	if (std::exchange(request.known_failure, std::nullopt))
		request.is_check = true;
}

/// It has failed, and what it failed at is still under way.
bool is_ending(self_pointer self, torrent_slot const &slot)
{
	return slot.record.failure() && (slot.is_job_pending || slot.record.is_verifying()) && !slot.is_removed &&
		!self->state.is_closed;
}

void_reply resume_slot(self_pointer self, torrent_slot &slot)
{
	slot.read_failure.reset();
	slot.record.added().target_storage->unreadable()->clear();
	bool const had_failed = slot.record.resume();
	if (had_failed)
		slot.wants_verify = slot.request->is_verify;
	if (!had_failed)
		return self->state.session->resume(slot.record.added().info_hash);
	send_to_all(self, slot, job_kind::discard, purpose::recover);
	return {};
}

/// Answers when a restart will find it as @p change left it, whether that went well or in part.
template <class Change>
void change_and_keep(self_pointer self, std::string const &info_hash, Change change,
	std::function<void(void_reply const &)> answer)
{
	bool is_changed = false;
	auto const outcome = with_torrent(self, info_hash, [&](torrent_slot &slot) {
		auto changed = change(slot);
		is_changed = true;
		keep_then(self, slot, [answer, changed] { answer(changed); });
		return changed;
	});
	if (!is_changed)
		answer(outcome);
}

template <class Change>
caf::result<void_reply> change_and_keep(self_pointer self, std::string const &info_hash, Change change)
{
	auto promise = self->make_response_promise<void_reply>();
	change_and_keep(self, info_hash, std::move(change),
		[promise](void_reply const &reply) mutable { promise.deliver(reply); });
	return promise;
}

void resume_now(self_pointer self, std::string const &info_hash, bool is_to_verify,
	std::function<void(void_reply const &)> answer)
{
	change_and_keep(
		self, info_hash,
		[self, is_to_verify](torrent_slot &slot) {
			auto resumed = resume_slot(self, slot);
			slot.wants_verify |= resumed && is_to_verify;
			return resumed;
		},
		std::move(answer));
}

} // namespace

caf::result<text_reply> add_torrent(self_pointer self, add_request request)
{
	auto promise = self->make_response_promise<text_reply>();
	begin_arrival(self, std::make_shared<add_request const>(std::move(request)),
		[promise](text_reply const &reply) mutable { promise.deliver(reply); });
	return promise;
}

caf::result<void_reply> pause_torrent(self_pointer self, std::string const &info_hash)
{
	if (auto *const coming = find_arrival(self, info_hash)) {
		change_arrival(self, *coming, [](add_request &request) { request.is_paused = true; });
		return void_reply{};
	}
	return change_and_keep(self, info_hash, [self, &info_hash](torrent_slot &slot) {
		auto const paused = self->state.session->pause(info_hash);
		if (paused) {
			slot.record.pause();
			look_at_waiting_warm_ups(self);
		}
		return paused;
	});
}

void resume_when_ended(self_pointer self, std::string const &info_hash,
	caf::typed_response_promise<void_reply> promise, bool is_to_verify)
{
	auto const found = self->state.torrents.find(info_hash);
	if (found != self->state.torrents.end() && is_ending(self, found->second))
		found->second.waiting_resumes.push_back({std::move(promise), is_to_verify});
	else
		resume_now(self, info_hash, is_to_verify,
			[promise](void_reply const &reply) mutable { promise.deliver(reply); });
}

void answer_waiting_resumes(self_pointer self, torrent_slot &slot)
{
	if (slot.waiting_resumes.empty() || is_ending(self, slot))
		return;
	auto waiting = std::exchange(slot.waiting_resumes, {});
	bool const is_to_verify =
		std::any_of(waiting.begin(), waiting.end(), [](auto const &one) { return one.is_to_verify; });
	auto const info_hash = slot.record.added().info_hash;
	resume_now(
		self, info_hash, is_to_verify, [waiting = std::move(waiting)](void_reply const &reply) mutable {
			for (auto &one : waiting)
				one.promise.deliver(reply);
		});
}

caf::result<void_reply> resume_torrent(self_pointer self, std::string const &info_hash)
{
	if (auto *const coming = find_arrival(self, info_hash)) {
		change_arrival(self, *coming, let_go_on);
		return void_reply{};
	}
	auto const left = self->state.left_behind.find(info_hash);
	if (left == self->state.left_behind.end()) {
		// What the session said before counts before.
		collect_facts(self);
		auto promise = self->make_response_promise<void_reply>();
		resume_when_ended(self, info_hash, promise, false);
		return promise;
	}
	auto request = std::make_shared<add_request>(*left->second.request);
	let_go_on(*request);
	auto promise = self->make_response_promise<void_reply>();
	begin_arrival(self, std::move(request), [promise](text_reply const &reply) mutable {
		promise.deliver(reply ? void_reply{} : void_reply(reply.failure()));
	});
	return promise;
}

caf::result<void_reply> remove_torrent(self_pointer self, std::string const &info_hash)
{
	auto promise = self->make_response_promise<void_reply>();
	if (self->state.left_behind.erase(info_hash) > 0) {
		emit(self, make_event(event_kind::torrent_removed, info_hash));
		forget_then(self, info_hash, [promise]() mutable { promise.deliver(void_reply{}); });
		return promise;
	}
	if (auto *const coming = find_arrival(self, info_hash)) {
		remove_arrival(*coming, promise);
		// A restart does not bring it back, whenever its device answers.
		if (self->state.keeper)
			caf::anon_send(self->state.keeper, erase_atom::value, info_hash);
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

caf::result<void_reply> tune_torrent(
	self_pointer self, std::string const &info_hash, torrent_tuning const &tuning)
{
	if (auto *const coming = find_arrival(self, info_hash)) {
		change_arrival(self, *coming, [&tuning](add_request &request) {
			request.limits.up = tuning.up_limit.value_or(request.limits.up);
			request.limits.down = tuning.down_limit.value_or(request.limits.down);
			request.priority = tuning.priority.value_or(request.priority);
		});
		return void_reply{};
	}
	return change_and_keep(self, info_hash, [self, &tuning](torrent_slot &slot) {
		slot.record.tune(tuning);
		auto const row = slot.record.row();
		auto request = std::make_shared<add_request>(*slot.request);
		request->limits = row.limits;
		request->priority = row.priority;
		slot.request = std::move(request);
		return apply_rates(self);
	});
}

} // namespace ezio::session_parts
