#include "ctl/fleet_link.hpp"

#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;

namespace
{

error no_daemon(std::string const &url, int os_errno)
{
	auto e = make_error(errc::unreachable, "no daemon at " + url);
	e.operation = "connect";
	e.os_errno = os_errno;
	return e;
}

bool is_there(void *socket)
{
	int events = 0;
	std::size_t size = sizeof events;
	return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

} // namespace

fleet_link::fleet_link(void *context, fleet_node node, std::optional<curve_keys> keys)
	: m_context(context), m_node(std::move(node)), m_keys(std::move(keys))
{
}

std::optional<host_and_port> fleet_link::ask(
	std::uint64_t id, std::string request, clock::time_point deadline)
{
	m_id = id;
	m_request = std::move(request);
	m_deadline = deadline;
	m_failure.reset();
	auto const &url = m_node.daemon.url;
	// The only news of an idle connection is its end.
	if (m_step == step::ready && is_there(m_monitor.get()))
		hang_up();
	if (m_step == step::ready) {
		m_step = step::asking;
		if (auto const sent = send(); !sent)
			m_failure = sent.failure();
		return std::nullopt;
	}
	m_step = step::shaking;
	if (!url.starts_with("tcp://")) {
		auto const probed = probe_endpoint(url, deadline);
		auto const done = probed ? connect(url) : probed;
		if (!done)
			m_failure = done.failure();
		return std::nullopt;
	}
	auto name = split_tcp(url);
	if (!name) {
		m_failure = name.failure();
		return std::nullopt;
	}
	m_step = step::looking_up;
	if (auto numbers = addresses_of(*name, true)) {
		found(std::move(numbers));
		return std::nullopt;
	}
	return std::move(*name);
}

void fleet_link::found(result<std::vector<socket_address>> addresses)
{
	if (m_step != step::looking_up)
		return;
	m_step = step::trying;
	if (!addresses) {
		m_failure = addresses.failure();
		return;
	}
	m_addresses = std::move(*addresses);
	std::ranges::reverse(m_addresses);
	try_address();
}

void fleet_link::try_address()
{
	auto const time = clock::now();
	// An address that swallows packets must leave time for the others.
	m_try_deadline = time + (m_deadline - time) / static_cast<int>(m_addresses.size());
	m_address = m_addresses.back();
	m_addresses.pop_back();
	m_attempt.emplace(*m_address);
}

result<void> fleet_link::connect(std::string const &url)
{
	m_socket.reset(zmq_socket(m_context, ZMQ_DEALER));
	if (!m_socket)
		return zmq_failure("zmq_socket", url);
	auto *const socket = m_socket.get();
	if (auto const done = set_limits(socket, wire::reply_bytes_max, url); !done)
		return done;
	// A node that is gone is tried again by a new request, not behind our back.
	if (auto const done = set_option(socket, ZMQ_RECONNECT_IVL, -1, url); !done)
		return done;
	if (auto const done = set_option(socket, ZMQ_IPV6, url.starts_with("tcp://[") ? 1 : 0, url); !done)
		return done;
	if (url.starts_with("tcp://")) {
		if (auto const done = set_keys(socket, m_keys, url); !done)
			return done;
	}
	auto const heard_at = "inproc://handshake-" + std::to_string(m_id);
	if (zmq_socket_monitor(socket, heard_at.c_str(),
			ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | handshake_failures) != 0)
		return zmq_failure("zmq_socket_monitor", url);
	m_monitor.reset(zmq_socket(m_context, ZMQ_PAIR));
	if (!m_monitor || zmq_connect(m_monitor.get(), heard_at.c_str()) != 0)
		return zmq_failure("monitor", url);
	if (zmq_connect(socket, url.c_str()) != 0)
		return zmq_failure("connect", url);
	return {};
}

result<void> fleet_link::send()
{
	if (zmq_send(m_socket.get(), m_request.data(), m_request.size(), ZMQ_DONTWAIT) < 0)
		return zmq_errno() == EAGAIN ? no_daemon(m_node.daemon.url, ECONNRESET)
									 : zmq_failure("zmq_send", m_node.daemon.url);
	return {};
}

void fleet_link::hang_up()
{
	m_attempt.reset();
	m_monitor.reset();
	m_socket.reset();
	m_step = step::idle;
}

std::optional<result<json>> fleet_link::fail(error why)
{
	hang_up();
	return result<json>(std::move(why));
}

std::optional<result<json>> fleet_link::time_over()
{
	auto const &url = m_node.daemon.url;
	switch (m_step) {
	case step::looking_up:
		return fail(
			make_error(errc::unreachable, "no daemon at " + url + ": its name was not found in time"));
	case step::trying:
		return fail(no_daemon(url, ETIMEDOUT));
	case step::shaking:
		return fail(
			make_error(errc::timed_out, "the daemon at " + url + " did not complete the handshake in time"));
	case step::asking:
		return fail(make_error(errc::timed_out, "the daemon at " + url + " did not answer in time"));
	case step::idle:
	case step::ready:
		break;
	}
	return std::nullopt;
}

std::optional<result<json>> fleet_link::read_monitor()
{
	while (is_there(m_monitor.get())) {
		auto const frames = receive(m_monitor.get(), m_node.daemon.url);
		if (!frames)
			return fail(frames.failure());
		auto const event = monitor_event(frames->front());
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && m_step == step::shaking) {
			m_step = step::asking;
			if (auto const sent = send(); !sent)
				return fail(sent.failure());
		} else if (event == ZMQ_EVENT_DISCONNECTED && m_step == step::asking) {
			// What it still said before it went counts.
			if (auto reply = read_reply())
				return reply;
			return fail(no_daemon(m_node.daemon.url, ECONNRESET));
		} else if (event != ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
			return fail(refused_handshake(m_node.daemon));
		}
	}
	return std::nullopt;
}

std::optional<result<json>> fleet_link::read_reply()
{
	while (is_there(m_socket.get())) {
		auto const frames = receive(m_socket.get(), m_node.daemon.url);
		if (!frames)
			return fail(frames.failure());
		auto reply = wire::decode_reply(frames->back());
		if (!reply)
			return fail(reply.failure());
		if (reply->id != m_id && !reply->id.is_null())
			continue;
		m_step = step::ready;
		return std::move(reply->what);
	}
	return std::nullopt;
}

std::optional<result<json>> fleet_link::advance(clock::time_point time)
{
	if (!is_busy())
		return std::nullopt;
	if (m_failure)
		return fail(*std::exchange(m_failure, std::nullopt));
	while (m_step == step::trying) {
		auto outcome = m_attempt->outcome();
		if (!outcome && time >= m_try_deadline)
			outcome = ETIMEDOUT;
		if (!outcome)
			break;
		m_attempt.reset();
		if (*outcome == 0) {
			m_step = step::shaking;
			if (auto const done = connect(tcp_url(*m_address)); !done)
				return fail(done.failure());
		} else if (m_addresses.empty()) {
			return fail(no_daemon(m_node.daemon.url, *outcome));
		} else {
			try_address();
		}
	}
	if (m_step == step::asking) {
		if (auto reply = read_reply())
			return reply;
	}
	if (m_step == step::shaking || m_step == step::asking) {
		if (auto failed = read_monitor())
			return failed;
	}
	return time >= m_deadline ? time_over() : std::nullopt;
}

} // namespace ezio::ctl
