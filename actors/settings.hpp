#pragma once

#include "actors/control_types.hpp"

#include <memory>

namespace ezio
{

struct settings_state {
	std::shared_ptr<settings_service> service;
	static inline char const *name = "settings";
};

/// The running configuration, one change at a time. Spawn it detached: applying a session key waits for
/// libtorrent, and saving writes a file.
settings_actor::behavior_type settings(
	settings_actor::stateful_pointer<settings_state> self, std::shared_ptr<settings_service> service);

} // namespace ezio
