#pragma once

#include <caf/fwd.hpp>

namespace ezio
{

/// Names the thread of a detached actor, for top, perf and the benches; does nothing if the actor shares its
/// thread. At most 15 characters. Called by the actor's behaviour function, on the actor's own thread.
void name_own_thread(caf::abstract_actor const &self, char const *name);

} // namespace ezio
