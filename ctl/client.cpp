#include "ctl/client.hpp"

#include "ctl/probe.hpp"
#include "ctl/wire/protocol.hpp"
#include "ctl/zmq_socket.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
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
		auto const event = monitor_event(frames->front());
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
		auto const keys = read_curve_keys(to);
		if (!keys)
			return keys.failure();
		auto const keyed = set_keys(socket, *keys, to.url);
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
