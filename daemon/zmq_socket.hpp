#pragma once

#include "actors/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ezio
{

struct zmq_context_closer {
	void operator()(void *context) const;
};
struct zmq_socket_closer {
	void operator()(void *socket) const;
};
/// Ends when all of its sockets are gone: must be destroyed after them.
using owned_context = std::unique_ptr<void, zmq_context_closer>;
/// Used by one thread at a time.
using owned_socket = std::unique_ptr<void, zmq_socket_closer>;

error zmq_error(char const *operation, std::string const &endpoint, int number);

result<owned_context> make_context();
/// A socket of a type and with integer options of zmq.h.
result<owned_socket> make_socket(
	void *context, int type, std::initializer_list<std::pair<int, int>> const &options);
result<void> set_option(void *socket, int option, int value);
result<void> set_option(void *socket, int option, std::int64_t value);
result<void> set_option(void *socket, int option, std::string const &value);

/// All frames of one message; those beyond a limit are read and dropped, but counted.
struct multipart {
	std::vector<std::string> frames;
	std::size_t count = 0;
	/// Whom the handshake found the sender to be; empty where there was none. No client can choose it.
	std::string user_id;
};

/// False: nothing there. Does not wait.
bool receive(void *socket, multipart &message, std::size_t frames_max);

/// A peer that is gone or does not read loses its message, as ZeroMQ has it. Does not wait.
void send_frames(void *socket, std::vector<std::string> const &frames);

} // namespace ezio
