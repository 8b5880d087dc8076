#include "ctl/client.hpp"

#include "ctl/wire/protocol.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
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

class unique_fd
{
public:
	explicit unique_fd(int fd) : m_fd(fd) {}
	~unique_fd()
	{
		if (m_fd >= 0)
			::close(m_fd);
	}
	unique_fd(unique_fd const &) = delete;
	unique_fd &operator=(unique_fd const &) = delete;
	int get() const { return m_fd; }

private:
	int m_fd;
};

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

error no_daemon(errc code, std::string const &endpoint, std::string const &why, int os_errno = 0)
{
	auto e = make_error(code, "no daemon at " + endpoint + ": " + why);
	e.os_errno = os_errno;
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

result<void> set_limits(void *socket, std::int64_t message_bytes_max, std::string const &endpoint)
{
	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max) != 0)
		return zmq_failure("zmq_setsockopt", endpoint);
	return set_option(socket, ZMQ_LINGER, 0, endpoint);
}

result<void> probe_ipc(std::string const &endpoint, std::string const &path)
{
	::sockaddr_un address{};
	address.sun_family = AF_UNIX;
	if (path.empty() || path.size() >= sizeof address.sun_path)
		return make_error(errc::invalid_argument,
			"endpoint " + endpoint + ": the path must have 1 to " +
				std::to_string(sizeof address.sun_path - 1) + " characters");
	std::memcpy(address.sun_path, path.data(), path.size());
	auto size = static_cast<::socklen_t>(sizeof address);
	if (path.front() == '@') {
		address.sun_path[0] = '\0';
		size = static_cast<::socklen_t>(offsetof(::sockaddr_un, sun_path) + path.size());
	}
	unique_fd const fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd.get() < 0)
		return no_daemon(errc::internal, endpoint, "cannot make a socket", errno);
	if (::connect(fd.get(), reinterpret_cast<::sockaddr *>(&address), size) == 0)
		return {};
	switch (auto const failure = errno; failure) {
	case EAGAIN: // it listens and is busy
	case EINTR:
	case EINPROGRESS:
		return {};
	case ENOENT:
	case ENOTDIR:
		return no_daemon(errc::unreachable, endpoint,
			"there is no such socket; check that eziod runs and that its control.endpoint is this one",
			failure);
	case ECONNREFUSED:
		return no_daemon(errc::unreachable, endpoint,
			"the socket is there but nobody listens; eziod has died or is just starting", failure);
	case EACCES:
	case EPERM:
		return no_daemon(errc::denied, endpoint,
			"access denied; run as root or as a user to whom the socket's owner and mode give access",
			failure);
	default:
		return no_daemon(errc::unreachable, endpoint, "connect", failure);
	}
}

error connect_tcp(::addrinfo const &address, std::string const &endpoint, clock::time_point deadline)
{
	unique_fd const fd(
		::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
	if (fd.get() < 0)
		return no_daemon(errc::unreachable, endpoint, "cannot make a socket", errno);
	int failure = ::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
	while (failure == EINPROGRESS || failure == EINTR) {
		::pollfd item{fd.get(), POLLOUT, 0};
		auto const ready = ::poll(&item, 1, milliseconds_left(deadline));
		if (ready == 0 && clock::now() >= deadline) {
			failure = ETIMEDOUT;
		} else if (ready > 0) {
			::socklen_t size = sizeof failure;
			if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0)
				failure = errno;
		} else if (ready < 0 && errno != EINTR) {
			failure = errno;
		}
	}
	return no_daemon(errc::unreachable, endpoint,
		"check the address, that eziod runs there and that no firewall is between", failure);
}

result<void> probe_tcp(std::string const &endpoint, std::string address, clock::time_point deadline)
{
	auto const colon = address.rfind(':');
	if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
		return make_error(errc::invalid_argument, "endpoint " + endpoint + ": expected tcp://HOST:PORT");
	auto host = address.substr(0, colon);
	auto const port = address.substr(colon + 1);
	if (host.size() > 2 && host.front() == '[' && host.back() == ']')
		host = host.substr(1, host.size() - 2);
	::addrinfo hints{};
	hints.ai_socktype = SOCK_STREAM;
	::addrinfo *found = nullptr;
	auto const status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
	if (status != 0)
		return no_daemon(errc::unreachable, endpoint, ::gai_strerror(status));
	std::unique_ptr<::addrinfo, void (*)(::addrinfo *)> const addresses(found, ::freeaddrinfo);
	error last;
	for (auto const *candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
		last = connect_tcp(*candidate, endpoint, deadline);
		if (last.os_errno == 0)
			return {};
	}
	return last;
}

} // namespace

result<void> probe_endpoint(std::string const &endpoint, clock::time_point deadline)
{
	if (endpoint.starts_with("ipc://"))
		return probe_ipc(endpoint, endpoint.substr(6));
	if (endpoint.starts_with("tcp://"))
		return probe_tcp(endpoint, endpoint.substr(6), deadline);
	return make_error(
		errc::invalid_argument, "endpoint \"" + endpoint + "\": expected ipc://PATH or tcp://HOST:PORT");
}

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
	std::string const &endpoint, clock::time_point deadline, std::atomic<bool> const &interrupted)
{
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
	if (zmq_connect(s->socket.get(), endpoint.c_str()) != 0)
		return zmq_failure("connect", endpoint);
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

result<event_stream> event_stream::open(std::string const &endpoint, std::atomic<bool> const &interrupted)
{
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
	if (zmq_connect(s->socket.get(), endpoint.c_str()) != 0)
		return zmq_failure("connect", endpoint);
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
