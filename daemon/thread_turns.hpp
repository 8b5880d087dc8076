#pragma once

#include "actors/core/result.hpp"

#include <chrono>

namespace ezio
{

/// How long a thread of the daemon computes before another one that has just woken may have its processor.
inline constexpr std::chrono::microseconds thread_turn{200};

/// Asks the scheduler for such turns for the calling thread and all that it starts from then on
/// (sched_setattr(2), sched_runtime of a normal thread): a hasher that computes for milliseconds otherwise
/// keeps the network and disk threads waiting, each of which needs a processor for some microseconds, as
/// soon as it wakes. Takes no privilege; neither priority nor share of the processors changes. Linux before
/// 6.12 ignores it; a thread of another policy than SCHED_OTHER or SCHED_BATCH is left as it is, and one
/// whose policy is reset on fork (systemd's CPUSchedulingResetOnFork) keeps it to itself. Fails where a
/// sandbox forbids the call; nothing depends on it but speed.
result<void> ask_for_short_turns();

} // namespace ezio
