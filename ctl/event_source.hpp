#pragma once

#include "ctl/client.hpp"

#include <string>
#include <string_view>

namespace ezio::ctl
{

/// Where a client that reached the daemon at @p control finds its events: what the daemon says, but with the
/// control endpoint's host where the daemon only knows that it listens everywhere ("tcp://*:6000").
std::string reachable_events_endpoint(std::string_view control, std::string_view events);

/// Asks the daemon for its events endpoint and subscribes, with the same keys. errc::unsupported if it
/// publishes none.
result<event_stream> subscribe(client &connection, daemon_endpoint const &control,
	std::atomic<bool> const &interrupted, clock::time_point deadline);

} // namespace ezio::ctl
