#include "daemon/control_socket.hpp"

#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"
#include "daemon/control_outbox.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/secrets.hpp"
#include "daemon/wire_convert.hpp"
#include "daemon/zap.hpp"
#include "daemon/zmq_socket.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

namespace ezio
{

namespace
{

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr int linger_ms = 1000;
constexpr int router_receive_max = 64; // a request may have 24 MiB
constexpr int router_send_max = 1000;
constexpr int events_send_max = 100'000;
constexpr int keepalive_idle_seconds = 60;
constexpr std::size_t frames_max = 3;
constexpr auto bind_again_after = 20ms;
constexpr std::size_t bind_attempts_until_logged = 250;
/// Somebody who tries keys shall not fill the disk with log lines.
constexpr auto refusals_logged_each = 10s;
constexpr char const *zap_endpoint = "inproc://zeromq.zap.01";

bool is_tcp(std::string const &endpoint)
{
	return endpoint.starts_with("tcp://");
}

/// From here on whoever connects to the socket must show a key.
result<void> demand_keys(void *socket, std::string const &secret_key)
{
	if (auto const done = set_option(socket, ZMQ_CURVE_SERVER, 1); !done)
		return done;
	if (auto const done = set_option(socket, ZMQ_CURVE_SECRETKEY, secret_key); !done)
		return done;
	return set_option(socket, ZMQ_ZAP_DOMAIN, std::string("ezio"));
}

/// Binds and, for ipc, sees to the file; answers the endpoint as bound.
result<std::string> bind_guarded(
	void *socket, std::string const &endpoint, control_socket_config const &config)
{
	auto const allowed = check_endpoint(endpoint, config.curve.has_value());
	if (!allowed)
		return allowed.failure();
	if (is_tcp(endpoint) && config.curve) {
		auto const guarded = demand_keys(socket, config.curve->secret_key);
		if (!guarded)
			return guarded.failure();
	}
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
		auto const guarded = guard_ipc_path(path, config.access);
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

constexpr int handshake_ms = std::chrono::milliseconds(handshake_time_max).count();

result<owned_socket> make_router(void *context)
{
	auto router = make_socket(context, ZMQ_ROUTER,
		{{ZMQ_LINGER, linger_ms}, {ZMQ_RCVHWM, router_receive_max}, {ZMQ_SNDHWM, router_send_max},
			{ZMQ_ROUTER_HANDOVER, 0}, {ZMQ_IPV6, 1}, {ZMQ_HANDSHAKE_IVL, handshake_ms},
			{ZMQ_TCP_KEEPALIVE, 1}, {ZMQ_TCP_KEEPALIVE_IDLE, keepalive_idle_seconds}});
	if (!router)
		return router;
	// Room for the frame itself; the codec names the limit to those who are only a little above it.
	auto const bytes_max = static_cast<std::int64_t>(wire::request_bytes_max) + 4096;
	auto const limited = set_option(router->get(), ZMQ_MAXMSGSIZE, bytes_max);
	if (!limited)
		return limited.failure();
	return router;
}

result<owned_socket> make_publisher(void *context)
{
	auto publisher = make_socket(context, ZMQ_PUB,
		{{ZMQ_LINGER, linger_ms}, {ZMQ_SNDHWM, events_send_max}, {ZMQ_IPV6, 1},
			{ZMQ_HANDSHAKE_IVL, handshake_ms}, {ZMQ_TCP_KEEPALIVE, 1},
			{ZMQ_TCP_KEEPALIVE_IDLE, keepalive_idle_seconds}});
	if (!publisher)
		return publisher;
	// Subscribers send nothing but what they subscribe to.
	constexpr std::int64_t subscription_bytes_max = 4096;
	auto const limited = set_option(publisher->get(), ZMQ_MAXMSGSIZE, subscription_bytes_max);
	if (!limited)
		return limited.failure();
	return publisher;
}

std::string encode(nlohmann::json const &id, control_reply const &reply)
{
	if (reply)
		return wire::encode_reply(id, to_json(*reply));
	return wire::encode_reply(id, reply.failure());
}

} // namespace

struct control_socket::impl {
	control_socket_config config; ///< curve->clients: the list in force; the thread's own once it runs
	// Closed last to first: the context ends when its sockets are gone. ZeroMQ lets everybody in while nobody
	// decides about handshakes, so zap is bound before the others and closed after them.
	owned_context context;
	owned_socket zap; ///< none without keys
	owned_socket router;
	owned_socket events;
	std::string endpoint;
	std::string events_endpoint;
	control_handler handler;
	std::shared_ptr<control_outbox> out;
	std::size_t outstanding = 0; ///< requests not yet answered; the thread's own
	bool is_events_bound = true; ///< the thread's own, as what follows
	std::size_t bind_attempts = 0;
	std::size_t refusals = 0;
	clock::time_point refusals_logged_at = clock::time_point::min();
	std::thread thread;

	result<void> bind();
	void run();
	void send(queued_reply const &reply);
	void receive_all();
	void handle(multipart message);
	std::optional<access_role> role_of(std::string const &user_id) const;
	void decide_handshakes();
	void note_refusal(zap_decision const &decision);
	void take_clients(access_list clients);
	void bind_events_again();
	void deliver(control_outbox::content const &content);
};

result<void> control_socket::impl::bind()
{
	if (config.curve) {
		// First: a connection must find somebody to ask.
		auto handler_socket = make_socket(context.get(), ZMQ_REP, {{ZMQ_LINGER, 0}});
		if (!handler_socket)
			return handler_socket.failure();
		zap = std::move(*handler_socket);
		if (zmq_bind(zap.get(), zap_endpoint) != 0)
			return zmq_error("bind", zap_endpoint, zmq_errno());
	}
	auto made_router = make_router(context.get());
	if (!made_router)
		return made_router.failure();
	router = std::move(*made_router);
	auto made_events = make_publisher(context.get());
	if (!made_events)
		return made_events.failure();
	events = std::move(*made_events);
	auto bound = bind_guarded(router.get(), config.endpoint, config);
	if (!bound)
		return bound.failure();
	endpoint = std::move(*bound);
	auto events_bound = bind_guarded(events.get(), config.events_endpoint, config);
	if (!events_bound)
		return events_bound.failure();
	events_endpoint = std::move(*events_bound);
	return {};
}

void control_socket::impl::send(queued_reply const &reply)
{
	std::vector<std::string> frames{reply.to.identity};
	if (reply.to.has_delimiter)
		frames.emplace_back();
	frames.push_back(encode(reply.id, reply.reply));
	send_frames(router.get(), frames);
}

/// Nothing: not let in. The list is asked for every request: a key that is taken away counts at once, also
/// where it is connected.
std::optional<access_role> control_socket::impl::role_of(std::string const &user_id) const
{
	if (!config.curve || !is_tcp(endpoint))
		return access_role::full;
	auto const *const client = config.curve->clients.find(user_id);
	return client == nullptr ? std::nullopt : std::optional(client->role);
}

void control_socket::impl::handle(multipart message)
{
	auto const role = role_of(message.user_id);
	if (!role)
		return;
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
	if (*role != access_role::full && decoded.what->verb->effect != wire::verb_effect::reads)
		return refuse(std::move(decoded.id),
			make_error(errc::denied,
				"this client's key has the role read-only, and \"" + std::string(decoded.what->verb->name) +
					"\" changes something"));
	auto request = to_control_request(*decoded.what);
	if (!request)
		return refuse(std::move(decoded.id), request.failure());
	if (outstanding == control_requests_max)
		return refuse(std::move(decoded.id), make_error(errc::aborted, "too many requests are under way"));
	++outstanding;
	bool const is_reader = *role != access_role::full;
	handler(
		std::move(*request), [queue = out, to, id = std::move(decoded.id), is_reader](control_reply reply) {
			if (is_reader && reply) {
				if (auto *const settings = std::get_if<get_reply>(&*reply))
					hide_secrets(*settings);
			}
			queue->add(queued_reply{to, id, std::move(reply)});
		});
}

void control_socket::impl::receive_all()
{
	// Bounded, so that replies get their turn while a client floods.
	for (int i = 0; i < 100; ++i) {
		multipart message;
		if (!receive(router.get(), message, frames_max))
			return;
		handle(std::move(message));
	}
}

void control_socket::impl::note_refusal(zap_decision const &decision)
{
	++refusals;
	auto const now = clock::now();
	if (refusals_logged_at != clock::time_point::min() && now - refusals_logged_at < refusals_logged_each)
		return;
	component_log("control")->warn(
		"refused a client from {}: its key {} is not in the list of authorized keys"
		" ({} refusals since the last such line)",
		decision.address, decision.key, refusals);
	refusals_logged_at = now;
	refusals = 0;
}

void control_socket::impl::decide_handshakes()
{
	for (int i = 0; i < 100; ++i) {
		multipart request;
		if (!receive(zap.get(), request, zap_request_frames + 1))
			return;
		auto const decision = decide_zap(request.frames, config.curve->clients);
		if (!decision.is_let_in)
			note_refusal(decision);
		send_frames(zap.get(), decision.reply);
	}
}

void control_socket::impl::take_clients(access_list clients)
{
	auto const is_key_gone = clients.lacks_any_of(config.curve->clients);
	config.curve->clients = std::move(clients);
	if (!is_key_gone || !is_tcp(events_endpoint))
		return;
	// ZeroMQ cannot disconnect one subscriber: all have to connect again and show their keys.
	auto made = make_publisher(context.get());
	if (!made) {
		component_log("control")->critical(
			"the events socket cannot be opened again: {}", to_string(made.failure()));
		return;
	}
	if (auto const done = set_option(events.get(), ZMQ_LINGER, 0); !done)
		component_log("control")->warn("{}", to_string(done.failure()));
	events = std::move(*made);
	is_events_bound = false;
	bind_attempts = 0;
}

/// The old socket gives its port up a moment after it is closed; until then this is tried again.
void control_socket::impl::bind_events_again()
{
	auto const bound = bind_guarded(events.get(), events_endpoint, config);
	is_events_bound = static_cast<bool>(bound);
	++bind_attempts;
	if (!bound && bind_attempts == bind_attempts_until_logged)
		component_log("control")->critical("nobody can subscribe to events: {}", to_string(bound.failure()));
}

void control_socket::impl::deliver(control_outbox::content const &content)
{
	for (auto const &reply : content.replies) {
		send(reply);
		--outstanding;
	}
	for (auto const &e : content.events)
		send_frames(events.get(),
			{std::string(to_string(e.what.kind)), wire::encode_event(to_event_message(e.sequence, e.what))});
}

void control_socket::impl::run()
{
	std::vector<zmq_pollitem_t> items{
		{router.get(), 0, ZMQ_POLLIN, 0}, {nullptr, out->event_fd(), ZMQ_POLLIN, 0}};
	if (zap)
		items.push_back({zap.get(), 0, ZMQ_POLLIN, 0});
	for (;;) {
		auto const wait_ms = is_events_bound ? -1L : static_cast<long>(bind_again_after.count());
		if (zmq_poll(items.data(), static_cast<int>(items.size()), wait_ms) < 0 && zmq_errno() != EINTR) {
			component_log("control")->critical(
				"the control socket fails: zmq_poll: {}", zmq_strerror(zmq_errno()));
			return;
		}
		if (zap)
			decide_handshakes();
		if ((items[0].revents & ZMQ_POLLIN) != 0)
			receive_all();
		auto content = out->take();
		// Before the replies: the one that says that the list was read again is among them.
		if (content.clients && config.curve)
			take_clients(std::move(*content.clients));
		if (!is_events_bound)
			bind_events_again();
		deliver(content);
		if (content.is_closed)
			return;
	}
}

control_socket::control_socket(std::unique_ptr<impl> parts) : m_impl(std::move(parts)) {}

result<std::unique_ptr<control_socket>> control_socket::open(
	control_socket_config const &config, control_handler handler)
{
	auto parts = std::make_unique<impl>();
	parts->config = config;
	auto context = make_context();
	if (!context)
		return context.failure();
	parts->context = std::move(*context);
	auto queue = control_outbox::create();
	if (!queue)
		return queue.failure();
	parts->out = std::move(*queue);
	parts->handler = std::move(handler);
	auto const bound = parts->bind();
	if (!bound)
		return bound.failure();
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

void control_socket::set_clients(access_list clients)
{
	m_impl->out->set(std::move(clients));
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
