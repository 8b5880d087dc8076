#include "actors/messages.hpp"

#include <utility>

namespace ezio
{

void publish(caf::actor_system &system, event e)
{
	caf::anon_send(system.groups().get_local(bus_name), std::move(e));
}

void join_bus(caf::actor_system &system, caf::strong_actor_ptr const &subscriber)
{
	auto const bus = system.groups().get_local(bus_name);
	bus.get()->subscribe(subscriber);
	auto *const handle = subscriber.get();
	handle->get()->attach_functor([bus, handle](caf::error const &) { bus.get()->unsubscribe(handle); });
}

} // namespace ezio
