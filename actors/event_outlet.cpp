#include "actors/event_outlet.hpp"

#include <utility>

namespace ezio
{

event_subscriber_actor::behavior_type event_outlet(
	event_subscriber_actor::stateful_pointer<event_outlet_state> self, event_consumer consumer)
{
	self->state.consumer = std::move(consumer);
	return {
		[self](event const &e) { self->state.consumer(++self->state.sequence, e); },
		[self](stop_atom) { self->quit(); },
	};
}

} // namespace ezio
