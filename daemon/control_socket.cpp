#include "daemon/control_socket.hpp"

#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"
#include "daemon/log_setup.hpp"
#include "actors/core/unique_fd.hpp"
#include "daemon/wire_convert.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace ezio
{

namespace
{

constexpr int linger_ms = 1000;
constexpr int router_receive_max = 64; // a request may have 24 MiB
constexpr int router_send_max = 1000;
constexpr int events_send_max = 100'000;
constexpr std::size_t frames_max = 3;

struct context_closer {
	void operator()(void *context) const { zmq_ctx_term(context); }
};
struct socket_closer {
	void operator()(void *socket) const { zmq_close(socket); }
};
using owned_context = std::unique_ptr<void, context_closer>;
using owned_socket = std::unique_ptr<void, socket_closer>;

error zmq_error(char const *operation, std::string const &endpoint, int number)
{
	auto e = make_error(errc::io_error, zmq_strerror(number));
	e.operation = operation;
	e.device = endpoint;
	if (number < ZMQ_HAUSNUMERO)
		e.os_errno = number;
	return e;
}

/// Whom a reply goes to.
struct return_address {
	std::string identity;
	bool has_delimiter = false;
};

struct queued_reply {
	return_address to;
	nlohmann::json id;
	control_reply reply;
};

struct queued_event {
	std::uint64_t sequence = 0;
	event what;
};

/// Where other threads leave what the socket's thread shall send. Outlives the socket as long as an answer is
/// outstanding.
class outbox
{
public:
	static result<std::shared_ptr<outbox>> create()
	{
		unique_fd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		if (!fd)
			return zmq_error("eventfd", {}, errno);
		return std::make_shared<outbox>(std::move(fd));
	}
	explicit outbox(unique_fd fd) : m_event_fd(std::move(fd)) {}

	void add(queued_reply reply)
	{
		{
			std::lock_guard const lock(m_mutex);
			m_replies.push_back(std::move(reply));
		}
		wake();
	}

	void add(queued_event e)
	{
		{
			std::lock_guard const lock(m_mutex);
			if (m_events.size() == control_events_max)
				m_events.pop_front();
			m_events.push_back(std::move(e));
		}
		wake();
	}

	void close()
	{
		{
			std::lock_guard const lock(m_mutex);
			m_is_closed = true;
		}
		wake();
	}

	struct content {
		std::deque<queued_reply> replies;
		std::deque<queued_event> events;
		bool is_closed = false;
	};
	content take()
	{
		std::uint64_t count = 0;
		// EAGAIN means that nothing new came, which is fine.
		while (read(m_event_fd.number(), &count, sizeof count) < 0 && errno == EINTR) {
		}
		content taken;
		std::lock_guard const lock(m_mutex);
		std::swap(taken.replies, m_replies);
		std::swap(taken.events, m_events);
		taken.is_closed = m_is_closed;
		return taken;
	}

	int event_fd() const { return m_event_fd.number(); }

private:
	void wake() const
	{
		std::uint64_t const one = 1;
		// EAGAIN means that the counter is full: the thread will wake anyway.
		while (write(m_event_fd.number(), &one, sizeof one) < 0 && errno == EINTR) {
		}
	}

	unique_fd m_event_fd;
	std::mutex m_mutex;
	std::deque<queued_reply> m_replies; ///< guarded by m_mutex
	std::deque<queued_event> m_events;  ///< guarded by m_mutex
	bool m_is_closed = false;           ///< guarded by m_mutex
};

result<void> set_option(void *socket, int option, int value)
{
	if (zmq_setsockopt(socket, option, &value, sizeof value) != 0)
		return zmq_error("zmq_setsockopt", {}, zmq_errno());
	return {};
}

result<owned_socket> make_socket(void *context, int type, std::vector<std::pair<int, int>> const &options)
{
	owned_socket socket(::zmq_socket(context, type));
	if (!socket)
		return zmq_error("zmq_socket", {}, zmq_errno());
	for (auto const &[option, value] : options) {
		auto const set = set_option(socket.get(), option, value);
		if (!set)
			return set.failure();
	}
	return socket;
}

/// Binds and, for ipc, sees to the file; answers the endpoint as bound.
result<std::string> bind_guarded(void *socket, std::string const &endpoint, ipc_access const &access)
{
	auto const allowed = check_endpoint(endpoint);
	if (!allowed)
		return allowed.failure();
	auto const path = ipc_path_of(endpoint);
	if (!path.empty()) {
		auto const prepared = prepare_ipc_path(path);
		if (!prepared)
			return prepared.failure();
	}
	// Nobody but the owner may connect before the mode is set.
	auto const umask_before = umask(0177);
	auto const bound = zmq_bind(socket, endpoint.c_str());
	auto const number = zmq_errno();
	umask(umask_before);
	if (bound != 0)
		return zmq_error("bind", endpoint, number);
	if (!path.empty()) {
		auto const guarded = guard_ipc_path(path, access);
		if (!guarded)
			return guarded.failure();
		return endpoint;
	}
	std::array<char, 256> actual = {};
	std::size_t length = actual.size();
	if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, actual.data(), &length) != 0)
		return zmq_error("zmq_getsockopt", endpoint, zmq_errno());
	return std::string(actual.data());
}

/// All frames of one message; those beyond frames_max are read and dropped, but counted.
struct multipart {
	std::vector<std::string> frames;
	std::size_t count = 0;
};

/// False: nothing there.
bool receive(void *socket, multipart &message)
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
		auto const has_more = zmq_msg_more(&part) != 0;
		zmq_msg_close(&part);
		if (!has_more)
			return true;
	}
}

/// A client that is gone or does not read loses its message, as ZeroMQ has it.
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

std::string encode(nlohmann::json const &id, control_reply const &reply)
{
	if (reply)
		return wire::encode_reply(id, to_json(*reply));
	return wire::encode_reply(id, reply.failure());
}

} // namespace

struct control_socket::impl {
	// Closed last to first: the context ends when its sockets are gone.
	owned_context context;
	owned_socket router;
	owned_socket events;
	std::string endpoint;
	std::string events_endpoint;
	control_handler handler;
	std::shared_ptr<outbox> out;
	std::size_t outstanding = 0; ///< requests not yet answered; the thread's own
	std::thread thread;

	void run();
	void send(queued_reply const &reply);
	void receive_all();
	void handle(multipart message);
};

void control_socket::impl::send(queued_reply const &reply)
{
	std::vector<std::string> frames{reply.to.identity};
	if (reply.to.has_delimiter)
		frames.emplace_back();
	frames.push_back(encode(reply.id, reply.reply));
	send_frames(router.get(), frames);
}

void control_socket::impl::handle(multipart message)
{
	return_address to;
	to.identity = std::move(message.frames[0]);
	to.has_delimiter = message.count > 1 && message.frames[1].empty();
	auto const refuse = [&](nlohmann::json id, error e) { send({to, std::move(id), std::move(e)}); };
	if (message.count != (to.has_delimiter ? 3u : 2u))
		return refuse(
			nullptr, make_error(errc::protocol, "a request is one frame, after an optional empty one"));
	auto decoded = wire::decode_request(message.frames.back());
	if (!decoded.what)
		return refuse(std::move(decoded.id), decoded.what.failure());
	auto request = to_control_request(*decoded.what);
	if (!request)
		return refuse(std::move(decoded.id), request.failure());
	if (outstanding == control_requests_max)
		return refuse(std::move(decoded.id), make_error(errc::aborted, "too many requests are under way"));
	++outstanding;
	handler(std::move(*request), [queue = out, to, id = std::move(decoded.id)](control_reply reply) {
		queue->add(queued_reply{to, id, std::move(reply)});
	});
}

void control_socket::impl::receive_all()
{
	// Bounded, so that replies get their turn while a client floods.
	for (int i = 0; i < 100; ++i) {
		multipart message;
		if (!receive(router.get(), message))
			return;
		handle(std::move(message));
	}
}

void control_socket::impl::run()
{
	for (;;) {
		std::array<zmq_pollitem_t, 2> items{
			{{router.get(), 0, ZMQ_POLLIN, 0}, {nullptr, out->event_fd(), ZMQ_POLLIN, 0}}};
		if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0 && zmq_errno() != EINTR) {
			component_log("control")->critical(
				"the control socket fails: zmq_poll: {}", zmq_strerror(zmq_errno()));
			return;
		}
		if ((items[0].revents & ZMQ_POLLIN) != 0)
			receive_all();
		auto const content = out->take();
		for (auto const &reply : content.replies) {
			send(reply);
			--outstanding;
		}
		for (auto const &e : content.events)
			send_frames(events.get(),
				{std::string(to_string(e.what.kind)),
					wire::encode_event(to_event_message(e.sequence, e.what))});
		if (content.is_closed)
			return;
	}
}

control_socket::control_socket(std::unique_ptr<impl> parts) : m_impl(std::move(parts)) {}

result<std::unique_ptr<control_socket>> control_socket::open(
	control_socket_config const &config, control_handler handler)
{
	auto parts = std::make_unique<impl>();
	parts->context.reset(zmq_ctx_new());
	if (!parts->context)
		return zmq_error("zmq_ctx_new", {}, zmq_errno());
	auto queue = outbox::create();
	if (!queue)
		return queue.failure();
	parts->out = std::move(*queue);
	parts->handler = std::move(handler);
	// Room for the frame itself; the codec names the limit to those who are only a little above it.
	auto const bytes_max = static_cast<std::int64_t>(wire::request_bytes_max) + 4096;
	auto router = make_socket(parts->context.get(), ZMQ_ROUTER,
		{{ZMQ_LINGER, linger_ms}, {ZMQ_RCVHWM, router_receive_max}, {ZMQ_SNDHWM, router_send_max},
			{ZMQ_ROUTER_HANDOVER, 0}, {ZMQ_IPV6, 1}});
	if (!router)
		return router.failure();
	parts->router = std::move(*router);
	if (zmq_setsockopt(parts->router.get(), ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) != 0)
		return zmq_error("zmq_setsockopt", config.endpoint, zmq_errno());
	auto events = make_socket(parts->context.get(), ZMQ_PUB,
		{{ZMQ_LINGER, linger_ms}, {ZMQ_SNDHWM, events_send_max}, {ZMQ_IPV6, 1}});
	if (!events)
		return events.failure();
	parts->events = std::move(*events);
	auto bound = bind_guarded(parts->router.get(), config.endpoint, config.access);
	if (!bound)
		return bound.failure();
	parts->endpoint = std::move(*bound);
	auto events_bound = bind_guarded(parts->events.get(), config.events_endpoint, config.access);
	if (!events_bound)
		return events_bound.failure();
	parts->events_endpoint = std::move(*events_bound);
	auto *const running = parts.get();
	parts->thread = std::thread([running] { running->run(); });
	return std::unique_ptr<control_socket>(new control_socket(std::move(parts)));
}

control_socket::~control_socket()
{
	m_impl->out->close();
	m_impl->thread.join();
	m_impl->router.reset();
	m_impl->events.reset();
	// libzmq leaves the files behind.
	for (auto const &endpoint : {m_impl->endpoint, m_impl->events_endpoint})
		if (auto const path = ipc_path_of(endpoint);
			!path.empty() && unlink(path.c_str()) != 0 && errno != ENOENT)
			component_log("control")->warn("unlink {}: {}", path, errno_name(errno));
}

void control_socket::publish(std::uint64_t sequence, event const &e)
{
	m_impl->out->add(queued_event{sequence, e});
}

std::string const &control_socket::endpoint() const
{
	return m_impl->endpoint;
}

std::string const &control_socket::events_endpoint() const
{
	return m_impl->events_endpoint;
}

} // namespace ezio
