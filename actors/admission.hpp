#pragma once

#include "actors/messages.hpp"

#include <functional>
#include <string>

namespace ezio
{

struct admission_state {
	static inline char const *name = "admission";
};

/// Examines the additions to one target, one after the other, on behalf of the session actor, which must not
/// wait for a device. Spawn it detached: it waits for as long as its device hangs, and nobody for it.
admission_actor::behavior_type admission(admission_actor::stateful_pointer<admission_state> self);

/// Where the session actor gets them from.
struct admission_source {
	/// One for a target, by its path. Its end is no accident once it is retired.
	std::function<admission_actor(std::string const &target)> spawn;
	/// It has nothing left to do and gets no more: it is to be stopped.
	std::function<void(admission_actor const &)> retire;
};

} // namespace ezio
