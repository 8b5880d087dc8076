#pragma once

#include "actors/core/result.hpp"

#include <string_view>

namespace ezio
{

/// Tells the service manager about our state (sd_notify(3): "READY=1", "STOPPING=1"), if it asked for it by
/// NOTIFY_SOCKET. Does nothing otherwise.
result<void> notify_service(std::string_view state);

/// "RELOADING=1" with the time that systemd wants beside it.
result<void> notify_reloading();

} // namespace ezio
