#pragma once

#include <chrono>

namespace ezio::timeouts
{

using namespace std::chrono_literals;

/// A control request to the session, which may wait for libtorrent's network thread.
inline constexpr auto session_request = 10s;
/// Adding a torrent: the checks open the device, and a sleeping disk takes its time to spin up.
inline constexpr auto add_torrent = 60s;
/// A statistics snapshot: never waits for a device.
inline constexpr auto stats_request = 2s;
/// How often the session asks libtorrent for changed torrents.
inline constexpr auto status_interval = 500ms;
/// Resume and tracker answers while the session closes.
inline constexpr auto session_close = 15s;

} // namespace ezio::timeouts
