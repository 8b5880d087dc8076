#include "actors/session.hpp"

#include "actors/session_parts.hpp"
#include "actors/thread_name.hpp"
#include "actors/timeouts.hpp"

#include <utility>

namespace ezio
{
namespace
{

/// Brings the session's own jobs back to it.
class session_job_sink final : public job_sink
{
public:
	explicit session_job_sink(session_actor owner) : m_owner(std::move(owner)) {}
	void finished(job_ptr job) override
	{
		auto message = std::make_shared<finished_job_data>();
		message->job = std::move(job);
		caf::anon_send(m_owner, std::move(message));
	}

private:
	session_actor m_owner;
};

} // namespace

namespace session_parts
{
namespace
{

void_reply set_in_session(self_pointer self, session_setting const &setting)
{
	if (self->state.is_closed)
		return closing();
	if (!rate_policy::owns(setting))
		return self->state.session->apply(setting);
	if (auto const taken = self->state.rates.set(setting); !taken)
		return taken;
	return apply_rates(self);
}

caf::result<void_reply> stop_session(self_pointer self)
{
	auto promise = self->make_response_promise<void_reply>();
	if (self->state.stop_promise) {
		promise.deliver(void_reply{closing()});
		return promise;
	}
	collect_facts(self);
	for (auto &[info_hash, slot] : self->state.torrents) {
		auto const state = slot.record.state();
		bool const is_checked = state != torrent_state::checking && state != torrent_state::error;
		if (slot.record.row().is_seed || slot.record.row().is_synced || slot.is_removed || !is_checked)
			continue;
		if (auto pieces = self->state.session->pieces(info_hash))
			slot.syncing_pieces = *std::move(pieces);
	}
	self->state.is_closed = true;
	give_up_arrivals(self);
	for (auto &[info_hash, slot] : self->state.torrents)
		slot.record.added().target_storage->leave();
	self->state.session->close();
	// What was dirty was written only now: a device that failed at it must not go unheard.
	for (auto const &fact : self->state.session->collect()) {
		if (fact.what != fact_kind::disk_error || !fact.is_fatal)
			continue;
		if (!self->state.stop_failure)
			self->state.stop_failure = fact.failure;
		emit_disk_error(self, fact);
		if (auto const found = self->state.torrents.find(fact.info_hash);
			found != self->state.torrents.end()) {
			found->second.syncing_pieces.clear();
			lose_durable_pieces(self, found->second);
		}
	}
	// The rest was written and flushed as its storage was let go.
	for (auto &[info_hash, slot] : self->state.torrents) {
		if (!slot.syncing_pieces.empty())
			keep_durable_pieces(self, slot, std::exchange(slot.syncing_pieces, {}));
	}
	for (auto &[info_hash, slot] : self->state.torrents) {
		for (auto &waiting : slot.removal_promises)
			waiting.deliver(void_reply{});
		for (auto &waiting : slot.waiting_resumes)
			waiting.promise.deliver(void_reply(closing()));
	}
	self->state.stop_promise = promise;
	finish_stop_if_idle(self);
	return promise;
}

} // namespace

void schedule_tick(self_pointer self)
{
	if (self->state.is_ticking || self->state.is_closed || self->state.torrents.empty())
		return;
	self->state.is_ticking = true;
	self->delayed_send(self, timeouts::status_interval, tick_atom::value);
}

void finish_stop_if_idle(self_pointer self)
{
	if (!self->state.stop_promise || self->state.own_jobs != 0)
		return;
	auto const &failure = self->state.stop_failure;
	self->state.stop_promise->deliver(failure ? void_reply(*failure) : void_reply{});
	self->state.stop_promise.reset();
	self->quit();
}

} // namespace session_parts

session_actor::behavior_type session(
	session_actor::stateful_pointer<session_state> self, std::shared_ptr<session_config> config)
{
	using namespace session_parts;
	name_own_thread(*self, "session");
	self->state.session = std::move(config->session);
	self->state.admissions = std::move(config->admissions);
	self->state.keeper = config->keeper;
	self->state.checkpoints = config->checkpoints;
	self->state.verify_pacer.set(config->verifying, monotonic_clock::now());
	self->state.rates = std::move(config->rates);
	session_actor const me(self);
	self->state.sink = std::make_shared<session_job_sink>(me);
	self->state.session->set_wakeup([me] { caf::anon_send(me, wakeup_atom::value); });
	apply_rates_or_warn(self);

	return {
		[self](add_atom, add_request &request) { return add_torrent(self, std::move(request)); },
		[self](pause_atom, std::string const &info_hash) { return pause_torrent(self, info_hash); },
		[self](resume_atom, std::string const &info_hash) { return resume_torrent(self, info_hash); },
		[self](remove_atom, std::string const &info_hash) { return remove_torrent(self, info_hash); },
		[self](verify_atom, std::string const &info_hash) { return verify_torrent(self, info_hash); },
		[self](warm_atom, std::string const &info_hash) { return warm_torrent(self, info_hash); },
		[self](announce_atom, std::string const &info_hash) {
			return with_torrent(self, info_hash,
				[self, &info_hash](torrent_slot &) { return self->state.session->reannounce(info_hash); });
		},
		[self](peers_atom, std::string const &info_hash) -> peers_reply {
			if (self->state.is_closed)
				return closing();
			if (self->state.left_behind.contains(info_hash) || self->state.arrivals.contains(info_hash))
				return std::vector<peer_row>();
			return self->state.session->peers(info_hash);
		},
		[self](status_atom) -> rows_reply {
			auto rows = rows_of(self);
			for (auto const &[info_hash, coming] : self->state.arrivals)
				rows.push_back(coming.row);
			for (auto const &[info_hash, left] : self->state.left_behind)
				rows.push_back(left.row);
			return rows;
		},
		[self](tune_atom, std::string const &info_hash, torrent_tuning const &tuning) {
			return tune_torrent(self, info_hash, tuning);
		},
		[self](setting_atom, session_setting const &setting) { return set_in_session(self, setting); },
		[self](limits_atom, checkpoint_limits const &limits) { self->state.checkpoints = limits; },
		[self](limits_atom, verify_rate rate) { self->state.verify_pacer.set(rate, monotonic_clock::now()); },
		[self](verify_atom) { on_verify_tick(self); },
		[self](wakeup_atom) { collect_facts(self); },
		[self](tick_atom) {
			self->state.is_ticking = false;
			if (self->state.is_closed)
				return;
			self->state.session->request_status();
			auto const now = monotonic_clock::now();
			for (auto &[info_hash, slot] : self->state.torrents) {
				slot.record.sample_rates(now);
				tell_of_retries(self, slot);
				start_checkpoint_if_due(self, slot, now);
				offer_unreadable_again(self, slot);
				if (!slot.record.wants_peers())
					continue;
				if (auto const asked = self->state.session->connect_named_peers(info_hash); !asked)
					emit(self, make_event(event_kind::warning, info_hash, to_string(asked.failure())));
			}
			apply_rates_or_warn(self);
			schedule_tick(self);
		},
		[self](finished_job &message) {
			auto const job = std::move(message->job);
			message.reset();
			on_own_job(self, static_cast<session_job const &>(*job));
			finish_stop_if_idle(self);
		},
		[self](stop_atom) { return stop_session(self); },
	};
}

} // namespace ezio
