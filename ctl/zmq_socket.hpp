#pragma once

#include "actors/core/result.hpp"
#include "ctl/curve.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

// What every user of ZeroMQ in this folder needs, without its header. A socket belongs to one thread.

struct context_closer {
	void operator()(void *context) const;
};
struct socket_closer {
	void operator()(void *socket) const;
};
/// Outlives the sockets made in it.
using context_ptr = std::unique_ptr<void, context_closer>;
using socket_ptr = std::unique_ptr<void, socket_closer>;

/// The last failure of ZeroMQ on this thread.
error zmq_failure(char const *operation, std::string const &endpoint);
/// The frames of the next message, which must be there; at most three are kept.
result<std::vector<std::string>> receive(void *socket, std::string const &endpoint);
result<void> set_option(void *socket, int option, int value, std::string const &endpoint);
/// Larger messages cut the connection; nothing lingers when the socket is closed.
result<void> set_limits(void *socket, std::int64_t message_bytes_max, std::string const &endpoint);
/// Before connecting; nothing: no keys are used.
result<void> set_keys(void *socket, std::optional<curve_keys> const &keys, std::string const &endpoint);
/// ZeroMQ's number of a monitor's event; 0 for a frame that is none.
std::uint16_t monitor_event(std::string_view first_frame);
/// All events that say that a handshake has failed.
extern int const handshake_failures;
/// What such an event means to the operator: errc::denied.
error refused_handshake(daemon_endpoint const &by);

} // namespace ezio::ctl
