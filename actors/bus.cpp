#include "actors/messages.hpp"

#include <utility>

namespace ezio
{

void publish(caf::actor_system &system, event e)
{
	caf::anon_send(system.groups().get_local(bus_name), std::move(e));
}

void join_bus(caf::local_actor &subscriber)
{
	// Typed actors have no join() of their own.
	auto const bus = subscriber.system().groups().get_local(bus_name);
	auto *const handle = subscriber.ctrl();
	bus.get()->subscribe(caf::strong_actor_ptr(handle));
	subscriber.attach_functor([bus, handle](caf::error const &) { bus.get()->unsubscribe(handle); });
}

} // namespace ezio
