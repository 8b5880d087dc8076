#pragma once

#include "ctl/connect_attempt.hpp"
#include "ctl/fleet_nodes.hpp"
#include "ctl/probe.hpp"
#include "ctl/zmq_socket.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ezio::ctl
{

/// The way to one daemon of a fleet, one request at a time, and no step that waits: its name is looked up (by
/// somebody else), its port is tried, ZeroMQ shakes hands, the request is sent, the reply comes. Every step
/// ends at the request's deadline. Used by one thread.
class fleet_link
{
public:
	fleet_link(void *context, fleet_node node, std::optional<curve_keys> keys);

	enum class step : std::uint8_t { idle, ready, looking_up, trying, shaking, asking };
	step now() const { return m_step; }
	bool is_busy() const { return m_step != step::idle && m_step != step::ready; }
	/// Of the request under way.
	clock::time_point deadline() const { return m_deadline; }
	/// The next moment at which advance() must be called.
	clock::time_point due() const { return m_step == step::trying ? m_try_deadline : m_deadline; }

	/// Begins; the link must not be busy; @p id is used for one request of one link only. A host whose name
	/// must be looked up first is answered.
	std::optional<host_and_port> ask(std::uint64_t id, std::string request, clock::time_point deadline);
	/// What the look-up found, while the link is in that step.
	void found(result<std::vector<socket_address>> addresses);

	/// What to wait for: a descriptor to become writable (else -1), sockets of ZeroMQ to become readable
	/// (else null).
	int descriptor() const { return m_step == step::trying && m_attempt ? m_attempt->fd() : -1; }
	void *socket() const { return m_step == step::asking ? m_socket.get() : nullptr; }
	void *monitor() const
	{
		return m_step == step::shaking || m_step == step::asking ? m_monitor.get() : nullptr;
	}

	/// Goes as far as it can. The outcome of the request, once.
	std::optional<result<nlohmann::json>> advance(clock::time_point time);

private:
	std::optional<result<nlohmann::json>> fail(error why);
	std::optional<result<nlohmann::json>> time_over();
	void try_address();
	result<void> connect(std::string const &url);
	result<void> send();
	std::optional<result<nlohmann::json>> read_monitor();
	std::optional<result<nlohmann::json>> read_reply();
	void hang_up();

	void *m_context;
	fleet_node m_node;
	std::optional<curve_keys> m_keys;
	step m_step = step::idle;
	std::optional<error> m_failure; ///< found while a request began
	std::uint64_t m_id = 0;
	std::string m_request;
	clock::time_point m_deadline{};
	clock::time_point m_try_deadline{};
	std::vector<socket_address> m_addresses; ///< those not tried yet, the next one last
	std::optional<socket_address> m_address; ///< the one being tried
	std::optional<connect_attempt> m_attempt;
	socket_ptr m_socket;
	socket_ptr m_monitor;
};

} // namespace ezio::ctl
