#pragma once

#include <chrono>

namespace ezio::timeouts
{

using namespace std::chrono_literals;

/// A control request to the session, which may wait for libtorrent's network thread.
inline constexpr auto session_request = 10s;
/// Adding a torrent, or resuming one that has not come in since the restart: the checks open the device, and
/// a sleeping disk takes its time to spin up. What takes longer goes on and is shown in status.
inline constexpr auto add_torrent = 60s;
/// Keeping for a restart what a request changed, which its answer waits for: below every request that does.
inline constexpr auto keep_torrent = 5s;
/// Removing a torrent: its dirty blocks are written and the device is flushed first.
inline constexpr auto remove_torrent = 60s;
/// Reading or changing a setting: longer than the session request it may contain.
inline constexpr auto settings_request = 15s;
/// The whole of one control request, as the control socket waits for it: above every other one.
inline constexpr auto control_request = 90s;
/// A statistics snapshot: never waits for a device.
inline constexpr auto stats_request = 2s;
/// Metrics: the whole of sending them to one client, and waiting for its request or for it to take some of
/// them.
inline constexpr auto metrics_response = 5s;
inline constexpr auto metrics_client = 2s;
/// How old metrics may be that are sent to a client which asks too often.
inline constexpr auto metrics_age = 100ms;
/// How often the load is sampled, and over how many samples it is shown.
inline constexpr auto load_interval = 1s;
inline constexpr std::size_t load_samples = 5;
/// How often the session asks libtorrent for changed torrents.
inline constexpr auto status_interval = 500ms;
/// A piece that could not be read is offered to peers again after so long, since some devices recover.
inline constexpr auto retry_unreadable = 60s;
/// How late a verification may notice a new rate.
inline constexpr auto verify_interval = 1s;
/// Resume and tracker answers while the session closes.
inline constexpr auto session_close = 15s;
/// Changing the number of partitions: what they have under way must end. Below settings_request, which waits
/// for it, and stop_light_actor, which may have to.
inline constexpr auto drain_partitions = 10s;
/// Stop order: the session writes, syncs and closes (above session_close).
inline constexpr auto stop_session = 60s;
/// Stop order: the examination of a target ends. It holds no data, so one whose device hangs is left behind.
inline constexpr auto stop_admission = 5s;
/// Stop order: a partition writes what is dirty and flushes its devices.
inline constexpr auto stop_partition = 60s;
/// Stop order: an actor that holds no data.
inline constexpr auto stop_light_actor = 20s;
/// Stop order: all of it, as main waits for it; above the sum of the stages.
inline constexpr auto stop_all = 250s;

} // namespace ezio::timeouts
