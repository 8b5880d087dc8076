#include "daemon/ipc_path.hpp"

#include "actors/core/unique_fd.hpp"

#include <arpa/inet.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace ezio
{

namespace
{

error path_error(char const *operation, std::string const &path, int os_errno)
{
	return make_system_error(operation, path, os_errno, "control socket");
}

bool is_loopback(std::string host)
{
	if (host.size() > 2 && host.front() == '[' && host.back() == ']')
		host = host.substr(1, host.size() - 2);
	in_addr v4 = {};
	if (inet_pton(AF_INET, host.c_str(), &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	in6_addr v6 = {};
	return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6) != 0;
}

result<gid_t> find_group(std::string const &name)
{
	gid_t number = 0;
	auto const *const end = name.data() + name.size();
	auto const parsed = std::from_chars(name.data(), end, number);
	if (parsed.ec == std::errc() && parsed.ptr == end)
		return number;
	// Called once, before other threads exist.
	errno = 0;
	auto const *const entry = getgrnam(name.c_str());
	if (entry == nullptr)
		return make_error(errc::invalid_argument, "control.socket-group: there is no group \"" + name + "\"");
	return entry->gr_gid;
}

/// Does anybody accept connections there?
result<bool> is_listened_on(std::string const &path)
{
	unique_fd const fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!fd)
		return path_error("socket", path, errno);
	sockaddr_un address = {};
	address.sun_family = AF_UNIX;
	std::memcpy(address.sun_path, path.data(), path.size());
	void const *const generic = &address;
	if (connect(fd.number(), static_cast<sockaddr const *>(generic), sizeof address) == 0)
		return true;
	if (errno == ECONNREFUSED)
		return false;
	if (errno == EAGAIN) // its backlog is full
		return true;
	return path_error("connect", path, errno);
}

} // namespace

result<ipc_access> parse_ipc_access(std::string const &mode, std::string const &group)
{
	unsigned bits = 0;
	auto const *const end = mode.data() + mode.size();
	auto const parsed = std::from_chars(mode.data(), end, bits, 8);
	if (parsed.ec != std::errc() || parsed.ptr != end || bits > 0777)
		return make_error(errc::invalid_argument, "control.socket-mode: \"" + mode + "\" is no file mode");
	ipc_access access;
	access.mode = bits;
	if (group.empty())
		return access;
	auto const found = find_group(group);
	if (!found)
		return found.failure();
	access.group = *found;
	return access;
}

std::string ipc_path_of(std::string const &endpoint)
{
	constexpr std::string_view scheme = "ipc://";
	return endpoint.starts_with(scheme) ? endpoint.substr(scheme.size()) : std::string();
}

result<void> check_endpoint(std::string const &endpoint, bool has_keys)
{
	constexpr std::string_view tcp = "tcp://";
	if (endpoint.starts_with("ipc://")) {
		auto const path = ipc_path_of(endpoint);
		// An abstract name has no file whose mode could guard it.
		if (path.empty() || path[0] != '/')
			return make_error(errc::invalid_argument, endpoint + ": an ipc endpoint needs an absolute path");
		if (path.size() >= sizeof(sockaddr_un::sun_path))
			return make_error(
				errc::invalid_argument, endpoint + ": the path is too long for a socket (107 bytes)");
		return {};
	}
	if (!endpoint.starts_with(tcp))
		return make_error(errc::invalid_argument, endpoint + ": not an ipc:// or tcp:// endpoint");
	auto const colon = endpoint.rfind(':');
	if (colon < tcp.size())
		return make_error(errc::invalid_argument, endpoint + ": no port");
	if (!has_keys && !is_loopback(endpoint.substr(tcp.size(), colon - tcp.size())))
		return make_error(errc::denied,
			endpoint +
				": refused, since it would let everybody in who can reach it; set control.curve-secret-key "
				"and"
				" control.authorized-keys, or use ipc:///PATH or tcp://127.0.0.1:PORT");
	return {};
}

result<void> prepare_ipc_path(std::string const &path)
{
	auto const directory = std::filesystem::path(path).parent_path().string();
	if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
		return path_error("mkdir", directory, errno);
	struct stat there = {};
	if (lstat(path.c_str(), &there) != 0) {
		if (errno == ENOENT)
			return {};
		return path_error("lstat", path, errno);
	}
	if (!S_ISSOCK(there.st_mode))
		return make_error(errc::already_exists, path + " exists and is no socket; it is left alone");
	auto const in_use = is_listened_on(path);
	if (!in_use)
		return in_use.failure();
	if (*in_use)
		return make_error(errc::already_exists, path + ": another daemon listens there");
	if (unlink(path.c_str()) != 0 && errno != ENOENT)
		return path_error("unlink", path, errno);
	return {};
}

result<void> guard_ipc_path(std::string const &path, ipc_access const &access)
{
	if (access.group && chown(path.c_str(), static_cast<uid_t>(-1), *access.group) != 0)
		return path_error("chown", path, errno);
	if (chmod(path.c_str(), access.mode) != 0)
		return path_error("chmod", path, errno);
	return {};
}

} // namespace ezio
