#include "actors/thread_name.hpp"

#include <caf/abstract_actor.hpp>

#include <pthread.h>

#include <cassert>

namespace ezio
{

void name_own_thread(caf::abstract_actor const &self, char const *name)
{
	if (!self.getf(caf::abstract_actor::is_detached_flag))
		return;
	// Fails only for names that are too long.
	[[maybe_unused]] auto const failed = pthread_setname_np(pthread_self(), name);
	assert(failed == 0);
}

} // namespace ezio
