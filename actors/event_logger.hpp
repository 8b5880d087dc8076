#pragma once

#include "actors/messages.hpp"

#include <memory>
#include <string>

namespace spdlog
{
class logger;
}

namespace ezio
{

using event_subscriber_actor = caf::typed_actor<
	// From the bus.
	caf::reacts_to<event>,
	// Ends, after everything published before.
	caf::reacts_to<stop_atom>>;

struct event_logger_state {
	std::shared_ptr<spdlog::logger> logger;
	static inline char const *name = "event_logger";
};

/// Writes every event of the bus to the log: errors as errors, hash failures and warnings as warnings, peers
/// coming and going as debug, the rest as info. The spawner joins it to the bus.
event_subscriber_actor::behavior_type event_logger(
	event_subscriber_actor::stateful_pointer<event_logger_state> self,
	std::shared_ptr<spdlog::logger> logger);

/// The line for people that event_logger writes: kind, then what is set of the rest.
std::string to_line(event const &e);

} // namespace ezio
