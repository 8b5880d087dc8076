#pragma once

#include "actors/event_logger.hpp"

#include <cstdint>
#include <functional>

namespace ezio
{

/// Gets every event of the bus with its number, counted from 1 without a gap. Must not block.
using event_consumer = std::function<void(std::uint64_t sequence, event const &)>;

struct event_outlet_state {
	event_consumer consumer;
	std::uint64_t sequence = 0;
	static inline char const *name = "event_outlet";
};

/// Numbers the events of the bus and hands them out of the actor world. The spawner joins it to
/// the bus.
event_subscriber_actor::behavior_type event_outlet(
	event_subscriber_actor::stateful_pointer<event_outlet_state> self, event_consumer consumer);

} // namespace ezio
