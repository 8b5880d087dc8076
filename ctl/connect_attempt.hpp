#pragma once

#include "actors/core/result.hpp"

#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace ezio::ctl
{

/// Where a host's name leads to.
struct socket_address {
	::sockaddr_storage bytes{};
	::socklen_t size = 0;
};

/// "tcp://10.0.0.7:5555", "tcp://[fe80::1]:5555".
std::string tcp_url(socket_address const &address);

struct host_and_port {
	std::string host; ///< without the brackets of an IPv6 address
	std::string port;
};
/// "tcp://HOST:PORT" taken apart. errc::invalid_argument.
result<host_and_port> split_tcp(std::string const &endpoint);

/// The addresses of a host, as numbers only or by asking for its name, which may take as long as the system's
/// resolver likes. errc::unreachable with the resolver's words.
result<std::vector<socket_address>> addresses_of(host_and_port const &to, bool is_number_only);

/// One attempt to connect to an address, without waiting. Closes the connection when it is destroyed.
class connect_attempt
{
public:
	explicit connect_attempt(socket_address const &to);
	~connect_attempt();
	connect_attempt(connect_attempt const &) = delete;
	connect_attempt &operator=(connect_attempt const &) = delete;

	/// Becomes writable when the outcome is known; -1 if it is known already.
	int fd() const { return m_outcome ? -1 : m_fd; }
	/// 0: somebody listens there; else the errno. Nothing while it is under way.
	std::optional<int> outcome();

private:
	int m_fd = -1;
	std::optional<int> m_outcome;
};

} // namespace ezio::ctl
