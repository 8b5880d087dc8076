#pragma once

#include "actors/messages.hpp"
#include "daemon/metrics.hpp"

namespace ezio
{

/// Asks the two actors for what they know, from a thread that is no actor's. Takes timeouts::stats_request at
/// most; a part that has not answered by then, or is no more, is missing.
metrics_snapshot take_metrics(
	caf::actor_system &system, session_actor const &session, stats_actor const &stats);

} // namespace ezio
