#include "daemon/service_notify.hpp"

#include "actors/core/unique_fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace ezio
{

namespace
{

error notify_error(char const *operation, std::string const &path, int os_errno)
{
	return make_system_error(operation, path, os_errno, "telling the service manager");
}

} // namespace

result<void> notify_service(std::string_view state)
{
	auto const *const variable = std::getenv("NOTIFY_SOCKET");
	if (variable == nullptr || *variable == '\0')
		return {};
	std::string const path = variable;
	sockaddr_un address = {};
	address.sun_family = AF_UNIX;
	if (path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
		return make_error(errc::invalid_argument, "NOTIFY_SOCKET is no socket path: " + path);
	std::memcpy(address.sun_path, path.data(), path.size());
	if (path[0] == '@')
		address.sun_path[0] = '\0'; // the abstract namespace
	auto const length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
	unique_fd const fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (!fd)
		return notify_error("socket", path, errno);
	void const *const generic = &address;
	auto const sent = sendto(fd.number(), state.data(), state.size(), MSG_NOSIGNAL,
		static_cast<sockaddr const *>(generic), length);
	if (sent < 0)
		return notify_error("sendto", path, errno);
	return {};
}

result<void> notify_reloading()
{
	timespec now = {};
	clock_gettime(CLOCK_MONOTONIC, &now);
	auto const us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
	return notify_service("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

} // namespace ezio
