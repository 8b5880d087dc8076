#pragma once

#include "actors/core/result.hpp"

#include <chrono>
#include <string>

namespace ezio::ctl
{

using clock = std::chrono::steady_clock;

/// Is somebody listening there? Answers at once for ipc (errors: unreachable, denied, and what to check) and
/// until @p deadline for tcp; other transports are taken on trust. errc::invalid_argument for an endpoint
/// that cannot be.
result<void> probe_endpoint(std::string const &endpoint, clock::time_point deadline);

} // namespace ezio::ctl
