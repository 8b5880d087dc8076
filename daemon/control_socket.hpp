#pragma once

#include "actors/control_types.hpp"
#include "daemon/curve_access.hpp"
#include "daemon/ipc_path.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ezio
{

struct control_socket_config {
	std::string endpoint;
	std::string events_endpoint;
	ipc_access access;
	std::optional<curve_access> curve; ///< none: tcp on loopback only, open to every local user
};

/// Carries a request out; must call @p answer once, from any thread, now or later, and must not block.
using control_handler = std::function<void(control_request, std::function<void(control_reply)> answer)>;

/// Requests under way at one time, of all clients; more are answered with errc::aborted.
inline constexpr std::size_t control_requests_max = 1024;
/// A connection that has not shown its key by then is closed.
inline constexpr std::chrono::seconds handshake_time_max{5};

/// The daemon's ZeroMQ sockets (a ROUTER for requests, a PUB for events) and the one thread that owns them.
/// What comes in is decoded, handed on and answered; nothing that a client sends disturbs the daemon. A
/// client over tcp whose key is not in the list gets no answer at all, and one that may only read is refused
/// what changes something.
class control_socket
{
public:
	/// Binds both sockets and starts the thread. Fails if an endpoint is refused, in use, or cannot be bound.
	static result<std::unique_ptr<control_socket>> open(
		control_socket_config const &config, control_handler handler);
	/// Sends what is queued (waiting at most a second for slow clients), closes the sockets, ends the thread.
	~control_socket();
	control_socket(control_socket const &) = delete;
	control_socket &operator=(control_socket const &) = delete;

	/// From any thread; does not block.
	void publish(std::uint64_t sequence, event const &e);

	/// From any thread: the clients let in from now on, those connected already included. If a key is gone,
	/// all subscribers of a tcp events endpoint are disconnected once, and must show their keys again. No
	/// effect without curve_access.
	void set_clients(access_list clients);

	/// Endpoints as bound: with the port that the system chose for tcp://127.0.0.1:*.
	std::string const &endpoint() const;
	std::string const &events_endpoint() const;

private:
	struct impl;
	explicit control_socket(std::unique_ptr<impl> parts);
	std::unique_ptr<impl> m_impl;
};

} // namespace ezio
