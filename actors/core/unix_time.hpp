#pragma once

#include <cstdint>

namespace ezio
{

/// Milliseconds since 1970-01-01 UTC by the system's clock, which somebody may set at any moment, forwards or
/// backwards: for people to read and files to keep, never to measure how long something takes.
/// std::chrono::system_clock will not do: in the daemon it does not follow the clock
/// (daemon/steady_system_clock.cpp). Any thread.
std::uint64_t unix_ms_now() noexcept;

} // namespace ezio
