#include "ctl/connect_attempt.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

namespace ezio::ctl
{

std::string tcp_url(socket_address const &address)
{
	std::array<char, NI_MAXHOST> host{};
	std::array<char, NI_MAXSERV> port{};
	auto const status = ::getnameinfo(reinterpret_cast<::sockaddr const *>(&address.bytes), address.size,
		host.data(), host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
	if (status != 0)
		return {};
	auto const is_v6 = address.bytes.ss_family == AF_INET6;
	return std::string("tcp://") + (is_v6 ? "[" : "") + host.data() + (is_v6 ? "]:" : ":") + port.data();
}

result<host_and_port> split_tcp(std::string const &endpoint)
{
	auto const address = endpoint.starts_with("tcp://") ? endpoint.substr(6) : std::string();
	auto const colon = address.rfind(':');
	if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
		return make_error(errc::invalid_argument, "endpoint " + endpoint + ": expected tcp://HOST:PORT");
	auto host = address.substr(0, colon);
	if (host.size() > 2 && host.front() == '[' && host.back() == ']')
		host = host.substr(1, host.size() - 2);
	return host_and_port{std::move(host), address.substr(colon + 1)};
}

result<std::vector<socket_address>> addresses_of(host_and_port const &to, bool is_number_only)
{
	::addrinfo hints{};
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = is_number_only ? AI_NUMERICHOST : 0;
	::addrinfo *first = nullptr;
	auto const status = ::getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &first);
	if (status != 0)
		return make_error(errc::unreachable, to.host + ": " + ::gai_strerror(status));
	std::unique_ptr<::addrinfo, void (*)(::addrinfo *)> const owner(first, ::freeaddrinfo);
	std::vector<socket_address> addresses;
	for (auto const *found = first; found != nullptr; found = found->ai_next) {
		socket_address address;
		if (found->ai_addrlen > sizeof address.bytes)
			continue;
		std::memcpy(&address.bytes, found->ai_addr, found->ai_addrlen);
		address.size = found->ai_addrlen;
		addresses.push_back(address);
	}
	if (addresses.empty())
		return make_error(errc::unreachable, to.host + ": no address that tcp could use");
	return addresses;
}

connect_attempt::connect_attempt(socket_address const &to)
	: m_fd(::socket(to.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
{
	if (m_fd < 0 || ::connect(m_fd, reinterpret_cast<::sockaddr const *>(&to.bytes), to.size) == 0)
		m_outcome = m_fd < 0 ? errno : 0;
	else if (errno != EINPROGRESS && errno != EINTR)
		m_outcome = errno;
}

connect_attempt::~connect_attempt()
{
	if (m_fd >= 0)
		::close(m_fd);
}

std::optional<int> connect_attempt::outcome()
{
	if (m_outcome)
		return m_outcome;
	::pollfd item{m_fd, POLLOUT, 0};
	auto const ready = ::poll(&item, 1, 0);
	if (ready < 0 && errno != EINTR)
		m_outcome = errno;
	if (ready <= 0)
		return m_outcome;
	int failure = 0;
	::socklen_t size = sizeof failure;
	m_outcome = ::getsockopt(m_fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 ? failure : errno;
	return m_outcome;
}

} // namespace ezio::ctl
