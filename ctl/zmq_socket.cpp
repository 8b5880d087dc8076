#include "ctl/zmq_socket.hpp"

#include <zmq.h>

#include <cerrno>
#include <cstring>

namespace ezio::ctl
{

namespace
{

class message
{
public:
	message() { zmq_msg_init(&m_message); }
	~message() { zmq_msg_close(&m_message); }
	message(message const &) = delete;
	message &operator=(message const &) = delete;
	zmq_msg_t *get() { return &m_message; }
	std::string_view bytes()
	{
		return {static_cast<char const *>(zmq_msg_data(&m_message)), zmq_msg_size(&m_message)};
	}
	bool has_more() { return zmq_msg_more(&m_message) != 0; }

private:
	zmq_msg_t m_message;
};

result<void> set_text(void *socket, int option, std::string const &value, std::string const &endpoint)
{
	if (zmq_setsockopt(socket, option, value.data(), value.size()) != 0)
		return zmq_failure("zmq_setsockopt", endpoint);
	return {};
}

} // namespace

int const handshake_failures = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
	ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

void context_closer::operator()(void *context) const
{
	zmq_ctx_term(context);
}

void socket_closer::operator()(void *socket) const
{
	zmq_close(socket);
}

error zmq_failure(char const *operation, std::string const &endpoint)
{
	auto const number = zmq_errno();
	auto e =
		make_error(number == EINVAL || number == EPROTONOSUPPORT ? errc::invalid_argument : errc::internal,
			std::string(zmq_strerror(number)));
	e.operation = std::string(operation) + " " + endpoint;
	return e;
}

result<std::vector<std::string>> receive(void *socket, std::string const &endpoint)
{
	std::vector<std::string> frames;
	bool has_more = true;
	while (has_more) {
		message frame;
		if (zmq_msg_recv(frame.get(), socket, ZMQ_DONTWAIT) < 0)
			return zmq_failure("zmq_recv", endpoint);
		if (frames.size() < 3)
			frames.emplace_back(frame.bytes());
		has_more = frame.has_more();
	}
	return frames;
}

result<void> set_option(void *socket, int option, int value, std::string const &endpoint)
{
	if (zmq_setsockopt(socket, option, &value, sizeof value) != 0)
		return zmq_failure("zmq_setsockopt", endpoint);
	return {};
}

result<void> set_limits(void *socket, std::int64_t message_bytes_max, std::string const &endpoint)
{
	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max) != 0)
		return zmq_failure("zmq_setsockopt", endpoint);
	return set_option(socket, ZMQ_LINGER, 0, endpoint);
}

result<void> set_keys(void *socket, std::optional<curve_keys> const &keys, std::string const &endpoint)
{
	if (!keys)
		return {};
	auto const &[own, server_key] = *keys;
	if (auto const done = set_text(socket, ZMQ_CURVE_SERVERKEY, server_key, endpoint); !done)
		return done;
	if (auto const done = set_text(socket, ZMQ_CURVE_PUBLICKEY, own.public_key, endpoint); !done)
		return done;
	return set_text(socket, ZMQ_CURVE_SECRETKEY, own.secret_key, endpoint);
}

std::uint16_t monitor_event(std::string_view first_frame)
{
	std::uint16_t event = 0;
	if (first_frame.size() >= sizeof event)
		std::memcpy(&event, first_frame.data(), sizeof event);
	return event;
}

error refused_handshake(daemon_endpoint const &by)
{
	std::string const reasons = by.key_path
		? "it may not know this client's key, --server-key may not be its key, or it uses no keys"
		: "it may let in only clients with a key; see --key and --server-key";
	return make_error(errc::denied,
		"the daemon at " + by.url + " ends the connection without a word: " + reasons +
			"; its log says more");
}

} // namespace ezio::ctl
