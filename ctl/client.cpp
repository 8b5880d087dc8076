#include "ctl/client.hpp"

#include "ctl/probe.hpp"
#include "ctl/wire/protocol.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using namespace std::chrono_literals;

namespace
{

/// A signal that comes just before a wait would be noticed only after it.
constexpr auto wait_slice = 200ms;

struct context_closer {
	void operator()(void *context) const { zmq_ctx_term(context); }
};
struct socket_closer {
	void operator()(void *socket) const { zmq_close(socket); }
};
using context_ptr = std::unique_ptr<void, context_closer>;
using socket_ptr = std::unique_ptr<void, socket_closer>;

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

error zmq_failure(char const *operation, std::string const &endpoint)
{
	auto const number = zmq_errno();
	auto e =
		make_error(number == EINVAL || number == EPROTONOSUPPORT ? errc::invalid_argument : errc::internal,
			std::string(zmq_strerror(number)));
	e.operation = std::string(operation) + " " + endpoint;
	return e;
}

int milliseconds_left(clock::time_point deadline)
{
	auto const left = std::min<clock::duration>(deadline - clock::now(), wait_slice);
	return static_cast<int>(
		std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

/// True when readable, false when the deadline has passed.
result<bool> wait_readable(void *socket, clock::time_point deadline, std::atomic<bool> const &interrupted)
{
	for (;;) {
		if (interrupted)
			return make_error(errc::interrupted, "interrupted");
		zmq_pollitem_t item{socket, 0, ZMQ_POLLIN, 0};
		auto const ready = zmq_poll(&item, 1, milliseconds_left(deadline));
		if (ready < 0 && zmq_errno() != EINTR)
			return zmq_failure("zmq_poll", "");
		if (ready > 0)
			return true;
		if (ready == 0 && clock::now() >= deadline)
			return false;
	}
}

/// The frames of the next message; at most three are kept.
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

result<void> set_text(void *socket, int option, std::string const &value, std::string const &endpoint)
{
	if (zmq_setsockopt(socket, option, value.data(), value.size()) != 0)
		return zmq_failure("zmq_setsockopt", endpoint);
	return {};
}

result<void> set_keys(void *socket, daemon_endpoint const &to)
{
	auto const keys = read_curve_keys(to);
	if (!keys)
		return keys.failure();
	if (!*keys)
		return {};
	auto const &[own, server_key] = **keys;
	if (auto const done = set_text(socket, ZMQ_CURVE_SERVERKEY, server_key, to.url); !done)
		return done;
	if (auto const done = set_text(socket, ZMQ_CURVE_PUBLICKEY, own.public_key, to.url); !done)
		return done;
	return set_text(socket, ZMQ_CURVE_SECRETKEY, own.secret_key, to.url);
}

error refused_handshake(daemon_endpoint const &to)
{
	std::string const reasons = to.key_path
		? "it may not know this client's key, --server-key may not be its key, or it uses no keys"
		: "it may let in only clients with a key; see --key and --server-key";
	return make_error(errc::denied,
		"the daemon at " + to.url + " ends the connection without a word: " + reasons +
			"; its log says more");
}

constexpr int handshake_failures = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
	ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
/// ZeroMQ connects again by itself; once may be a daemon that just stops.
constexpr int handshakes_max = 3;
constexpr char const *monitor_endpoint = "inproc://handshake";

/// Waits until the daemon has let us in. ZeroMQ itself says nothing of a refusal, it tries for ever.
result<void> await_handshake(void *monitor, daemon_endpoint const &to, clock::time_point deadline,
	std::atomic<bool> const &interrupted)
{
	for (int failed = 0; failed < handshakes_max;) {
		auto const is_readable = wait_readable(monitor, deadline, interrupted);
		if (!is_readable)
			return is_readable.failure();
		if (!*is_readable)
			return failed > 0 ? refused_handshake(to)
							  : make_error(errc::timed_out,
									"the daemon at " + to.url + " did not complete the handshake in time");
		auto const frames = receive(monitor, to.url);
		if (!frames)
			return frames.failure();
		std::uint16_t event = 0;
		if (frames->front().size() < sizeof event)
			return make_error(errc::internal, "a monitor's event is too short");
		std::memcpy(&event, frames->front().data(), sizeof event);
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
			return {};
		// ZeroMQ does not try again where the other side wants keys and we have none, or the other way round.
		if (event != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
			break;
		++failed;
	}
	return refused_handshake(to);
}

/// Connects; over tcp until the daemon has let us in.
result<void> connect(void *context, void *socket, daemon_endpoint const &to, clock::time_point deadline,
	std::atomic<bool> const &interrupted)
{
	auto const is_tcp = to.url.starts_with("tcp://");
	socket_ptr monitor;
	if (is_tcp) {
		auto const keyed = set_keys(socket, to);
		if (!keyed)
			return keyed.failure();
		if (zmq_socket_monitor(
				socket, monitor_endpoint, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | handshake_failures) != 0)
			return zmq_failure("zmq_socket_monitor", to.url);
		monitor.reset(zmq_socket(context, ZMQ_PAIR));
		if (!monitor || zmq_connect(monitor.get(), monitor_endpoint) != 0)
			return zmq_failure("monitor", to.url);
	}
	if (zmq_connect(socket, to.url.c_str()) != 0)
		return zmq_failure("connect", to.url);
	if (!is_tcp)
		return {};
	auto const let_in = await_handshake(monitor.get(), to, deadline, interrupted);
	zmq_socket_monitor(socket, nullptr, 0);
	return let_in;
}

result<void> set_limits(void *socket, std::int64_t message_bytes_max, std::string const &endpoint)
{
	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max) != 0)
		return zmq_failure("zmq_setsockopt", endpoint);
	return set_option(socket, ZMQ_LINGER, 0, endpoint);
}

} // namespace

struct client::state {
	std::string endpoint;
	std::atomic<bool> const *interrupted = nullptr;
	context_ptr context;
	socket_ptr socket; ///< closed before its context
	std::uint64_t last_id = 0;
};

client::client(std::unique_ptr<state> s) : m_state(std::move(s)) {}
client::client(client &&) noexcept = default;
client &client::operator=(client &&) noexcept = default;
client::~client() = default;

result<client> client::open(
	daemon_endpoint const &daemon, clock::time_point deadline, std::atomic<bool> const &interrupted)
{
	auto const &endpoint = daemon.url;
	auto const probed = probe_endpoint(endpoint, deadline);
	if (!probed)
		return probed.failure();
	auto s = std::make_unique<state>();
	s->endpoint = endpoint;
	s->interrupted = &interrupted;
	s->context.reset(zmq_ctx_new());
	if (!s->context)
		return zmq_failure("zmq_ctx_new", endpoint);
	s->socket.reset(zmq_socket(s->context.get(), ZMQ_DEALER));
	if (!s->socket)
		return zmq_failure("zmq_socket", endpoint);
	auto const limited = set_limits(s->socket.get(), wire::reply_bytes_max, endpoint);
	if (!limited)
		return limited.failure();
	auto const connected = connect(s->context.get(), s->socket.get(), daemon, deadline, interrupted);
	if (!connected)
		return connected.failure();
	return client(std::move(s));
}

result<json> client::call(std::string_view verb, json const &args, clock::time_point deadline)
{
	auto &s = *m_state;
	auto const id = ++s.last_id;
	auto const request = wire::encode_request(id, verb, args);
	if (request.size() > wire::request_bytes_max)
		return make_error(errc::invalid_argument,
			"a request of " + std::to_string(request.size()) + " bytes; at most " +
				std::to_string(wire::request_bytes_max) + " are allowed");
	if (zmq_send(s.socket.get(), request.data(), request.size(), ZMQ_DONTWAIT) < 0)
		return zmq_failure("zmq_send", s.endpoint);
	for (;;) {
		auto const is_readable = wait_readable(s.socket.get(), deadline, *s.interrupted);
		if (!is_readable)
			return is_readable.failure();
		if (!*is_readable) {
			auto const probed = probe_endpoint(s.endpoint, clock::now() + 1s);
			if (!probed)
				return probed.failure();
			return make_error(errc::timed_out,
				"the daemon at " + s.endpoint + " did not answer \"" + std::string(verb) + "\" in time");
		}
		auto const frames = receive(s.socket.get(), s.endpoint);
		if (!frames)
			return frames.failure();
		auto reply = wire::decode_reply(frames->back());
		if (!reply)
			return reply.failure();
		// The answer to an earlier request that had timed out.
		if (reply->id != id && !reply->id.is_null())
			continue;
		return std::move(reply->what);
	}
}

struct event_stream::state {
	std::string endpoint;
	std::atomic<bool> const *interrupted = nullptr;
	context_ptr context;
	socket_ptr socket; ///< closed before its context
};

event_stream::event_stream(std::unique_ptr<state> s) : m_state(std::move(s)) {}
event_stream::event_stream(event_stream &&) noexcept = default;
event_stream &event_stream::operator=(event_stream &&) noexcept = default;
event_stream::~event_stream() = default;

result<event_stream> event_stream::open(
	daemon_endpoint const &daemon, clock::time_point deadline, std::atomic<bool> const &interrupted)
{
	auto const &endpoint = daemon.url;
	auto s = std::make_unique<state>();
	s->endpoint = endpoint;
	s->interrupted = &interrupted;
	s->context.reset(zmq_ctx_new());
	if (!s->context)
		return zmq_failure("zmq_ctx_new", endpoint);
	s->socket.reset(zmq_socket(s->context.get(), ZMQ_SUB));
	if (!s->socket)
		return zmq_failure("zmq_socket", endpoint);
	auto const limited = set_limits(s->socket.get(), wire::event_bytes_max, endpoint);
	if (!limited)
		return limited.failure();
	// A burst of this many events may be under way before one is called lost.
	auto const roomy = set_option(s->socket.get(), ZMQ_RCVHWM, 100000, endpoint);
	if (!roomy)
		return roomy.failure();
	if (zmq_setsockopt(s->socket.get(), ZMQ_SUBSCRIBE, "", 0) != 0)
		return zmq_failure("subscribe", endpoint);
	auto const connected = connect(s->context.get(), s->socket.get(), daemon, deadline, interrupted);
	if (!connected)
		return connected.failure();
	return event_stream(std::move(s));
}

result<std::optional<wire::event_message>> event_stream::next(clock::time_point deadline)
{
	auto const is_readable = wait_readable(m_state->socket.get(), deadline, *m_state->interrupted);
	if (!is_readable)
		return is_readable.failure();
	if (!*is_readable)
		return std::optional<wire::event_message>();
	auto const frames = receive(m_state->socket.get(), m_state->endpoint);
	if (!frames)
		return frames.failure();
	if (frames->size() != 2)
		return make_error(errc::protocol, "an event of " + std::to_string(frames->size()) + " frames");
	auto event = wire::decode_event(frames->back());
	if (!event)
		return event.failure();
	return std::optional<wire::event_message>(std::move(*event));
}

} // namespace ezio::ctl
