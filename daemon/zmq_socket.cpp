#include "daemon/zmq_socket.hpp"

#include "daemon/log_setup.hpp"

#include <spdlog/spdlog.h>
#include <zmq.h>

namespace ezio
{

namespace
{

result<void> set_raw(void *socket, int option, void const *value, std::size_t bytes)
{
	if (zmq_setsockopt(socket, option, value, bytes) != 0)
		return zmq_error("zmq_setsockopt", {}, zmq_errno());
	return {};
}

} // namespace

void zmq_context_closer::operator()(void *context) const
{
	// Interrupted by a signal it has done nothing; other failures would be our mistake.
	while (zmq_ctx_term(context) != 0 && zmq_errno() == EINTR) {
	}
}

void zmq_socket_closer::operator()(void *socket) const
{
	zmq_close(socket);
}

error zmq_error(char const *operation, std::string const &endpoint, int number)
{
	// ZeroMQ's own numbers mean nothing to the system.
	return make_system_error(operation, endpoint, number < ZMQ_HAUSNUMERO ? number : 0, zmq_strerror(number));
}

result<owned_context> make_context()
{
	owned_context context(zmq_ctx_new());
	if (!context)
		return zmq_error("zmq_ctx_new", {}, zmq_errno());
	return context;
}

result<owned_socket> make_socket(
	void *context, int type, std::initializer_list<std::pair<int, int>> const &options)
{
	owned_socket socket(zmq_socket(context, type));
	if (!socket)
		return zmq_error("zmq_socket", {}, zmq_errno());
	for (auto const &[option, value] : options) {
		auto const set = set_option(socket.get(), option, value);
		if (!set)
			return set.failure();
	}
	return socket;
}

result<void> set_option(void *socket, int option, int value)
{
	return set_raw(socket, option, &value, sizeof value);
}

result<void> set_option(void *socket, int option, std::int64_t value)
{
	return set_raw(socket, option, &value, sizeof value);
}

result<void> set_option(void *socket, int option, std::string const &value)
{
	return set_raw(socket, option, value.data(), value.size());
}

bool receive(void *socket, multipart &message, std::size_t frames_max)
{
	for (;;) {
		zmq_msg_t part;
		zmq_msg_init(&part);
		if (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&part);
			return false;
		}
		if (message.count++ < frames_max)
			message.frames.emplace_back(static_cast<char const *>(zmq_msg_data(&part)), zmq_msg_size(&part));
		if (auto const *const user_id = zmq_msg_gets(&part, "User-Id"))
			message.user_id = user_id;
		auto const has_more = zmq_msg_more(&part) != 0;
		zmq_msg_close(&part);
		if (!has_more)
			return true;
	}
}

void send_frames(void *socket, std::vector<std::string> const &frames)
{
	for (std::size_t i = 0; i < frames.size(); ++i) {
		auto const flags = ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
		if (zmq_send(socket, frames[i].data(), frames[i].size(), flags) < 0) {
			component_log("control")->debug("a message was not sent: {}", zmq_strerror(zmq_errno()));
			return;
		}
	}
}

} // namespace ezio
