#include "ctl/probe.hpp"

#include "ctl/connect_attempt.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ezio::ctl
{

using namespace std::chrono_literals;

namespace
{

constexpr auto wait_slice = 200ms;

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

error connect_tcp(socket_address const &address, std::string const &endpoint, clock::time_point deadline)
{
	connect_attempt attempt(address);
	auto outcome = attempt.outcome();
	while (!outcome && clock::now() < deadline) {
		::pollfd item{attempt.fd(), POLLOUT, 0};
		// A failure to wait shows in the outcome or at the deadline.
		static_cast<void>(::poll(&item, 1, milliseconds_left(deadline)));
		outcome = attempt.outcome();
	}
	return no_daemon(errc::unreachable, endpoint,
		"check the address, that eziod runs there and that no firewall is between",
		outcome.value_or(ETIMEDOUT));
}

result<void> probe_tcp(std::string const &endpoint, clock::time_point deadline)
{
	auto const to = split_tcp(endpoint);
	if (!to)
		return to.failure();
	auto const addresses = addresses_of(*to, false);
	if (!addresses)
		return no_daemon(errc::unreachable, endpoint, addresses.failure().message);
	error last;
	for (auto const &candidate : *addresses) {
		last = connect_tcp(candidate, endpoint, deadline);
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
		return probe_tcp(endpoint, deadline);
	return make_error(
		errc::invalid_argument, "endpoint \"" + endpoint + "\": expected ipc://PATH or tcp://HOST:PORT");
}

} // namespace ezio::ctl
