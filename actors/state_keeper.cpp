#include "actors/state_keeper.hpp"

#include "actors/thread_name.hpp"

#include <utility>

namespace ezio
{
namespace
{

using self_pointer = state_keeper_actor::stateful_pointer<state_keeper_state>;

void report(self_pointer self, std::string const &info_hash, result<void> const &outcome)
{
	auto &failing = self->state.failing;
	if (outcome) {
		failing.erase(info_hash);
		return;
	}
	if (!failing.insert(info_hash).second)
		return;
	auto e = make_event(event_kind::warning, info_hash,
		"what a restart needs could not be kept: " + to_string(outcome.failure()));
	e.failure = outcome.failure();
	publish(self->system(), std::move(e));
}

} // namespace

state_keeper_actor::behavior_type state_keeper(self_pointer self, std::shared_ptr<resume_store> store)
{
	name_own_thread(*self, "state_keeper");
	self->state.store = std::move(store);
	return {
		[self](save_atom, kept_torrent_ptr const &torrent) {
			report(self, torrent->info_hash, self->state.store->save(*torrent));
		},
		[self](erase_atom, std::string const &info_hash) {
			report(self, info_hash, self->state.store->erase(info_hash));
		},
		[self](stop_atom) { self->quit(); },
	};
}

} // namespace ezio
