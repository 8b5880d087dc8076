#pragma once

#include "actors/control_types.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace ezio
{

/// Whom the control actor asks.
struct control_config {
	session_actor session;
	settings_actor settings;
	stats_actor stats;
	version_reply version; ///< uptime_ms is filled in for each reply
	/// Begins the orderly stop; called once per shutdown request, must return at once.
	std::function<void()> request_shutdown;
};

class pending_reply;

struct control_state {
	control_config config;
	monotonic_time started{};
	std::vector<std::weak_ptr<pending_reply>> outstanding; ///< requests not yet answered
	static inline char const *name = "control";
};

/// Verbs in, replies out. Knows no socket and no JSON. Every request is answered, also when the one it was
/// forwarded to dies or takes too long.
control_actor::behavior_type control(
	control_actor::stateful_pointer<control_state> self, control_config config);

/// Sends a request to the control actor from any thread and calls @p answer exactly once, on a thread of the
/// actor system: with the reply, or with an error if the actor has ended or is silent for too long.
void ask_control(caf::actor_system &system, control_actor const &control, control_request request,
	std::function<void(control_reply)> answer);

} // namespace ezio
