#pragma once

#include "actors/core/result.hpp"

#include <cstdint>
#include <string_view>

namespace ezio
{

// What the text of a key must look like. Pure; an error's message is a reason of a few words
// ("the port is missing"), the caller adds the key and the shape.

/// "ipc:///absolute/path" (at most 107 bytes of path, which is what the kernel takes), or
/// "tcp://ADDRESS:PORT" with an address in digits or "*" and a port from 1.
result<void> check_zmq_endpoint(std::string_view text);

/// May other machines connect there? True for all of tcp but the loopback addresses 127.x.x.x and [::1].
bool is_reachable_from_outside(std::string_view endpoint);
/// The same for an address that check_metrics_address has passed; false for an empty one.
bool is_metrics_address_outside(std::string_view address);

/// "0.0.0.0:6881", "[::]:6881", "eth0:6881": an address in digits or an interface, and a port from 0 (any).
result<void> check_listen_address(std::string_view text);

/// "127.0.0.1:9417": an IPv4 address in digits, since the HTTP server of Debian 12 is built without IPv6, and
/// a port from 1; empty: none.
result<void> check_metrics_address(std::string_view text);

/// "host:port", "[v6]:port", port from 1.
result<void> check_peer(std::string_view text);

/// "http://...", "https://..." or "udp://host:port...".
result<void> check_tracker_url(std::string_view text);

/// "disk=debug": a component and a level of the log.
result<void> check_component_level(std::string_view text);

/// "0660": three or four octal digits, at most 0777.
result<void> check_file_mode(std::string_view text);

/// The name of a group, or its number; empty: the daemon's own.
result<void> check_group(std::string_view text);

/// An absolute path, or empty.
result<void> check_path_or_empty(std::string_view text);
result<void> check_state_directory(std::string_view text);

/// "0660" -> 0660. The text must have passed check_file_mode.
std::uint32_t file_mode(std::string_view text);

} // namespace ezio
