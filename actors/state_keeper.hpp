#pragma once

#include "actors/core/resume_store.hpp"
#include "actors/messages.hpp"

#include <memory>
#include <set>
#include <string>

namespace ezio
{

struct state_keeper_state {
	std::shared_ptr<resume_store> store;
	std::set<std::string> failing; ///< torrents whose last save or erasure failed, as was said on the bus
	static inline char const *name = "state_keeper";
};

/// Keeps on disk what a restart needs, in the order it is told. A failure is a warning on the bus, once until
/// it works again: the transfer goes on, it would only begin earlier after a crash. Spawn it detached, since
/// it waits for the file system.
state_keeper_actor::behavior_type state_keeper(
	state_keeper_actor::stateful_pointer<state_keeper_state> self, std::shared_ptr<resume_store> store);

} // namespace ezio
