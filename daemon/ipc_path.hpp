#pragma once

#include "actors/core/result.hpp"

#include <sys/types.h>

#include <optional>
#include <string>

namespace ezio
{

/// Who may use an ipc:// socket.
struct ipc_access {
	mode_t mode = 0660;
	std::optional<gid_t> group; ///< empty: the daemon's own
};

/// Parses a file mode such as "0660" and a group's name or number (empty: none).
result<ipc_access> parse_ipc_access(std::string const &mode, std::string const &group);

/// May the daemon bind this endpoint? ipc:// with an absolute path, tcp:// on a loopback address, and any
/// other tcp:// only if clients must show keys. errc::denied or errc::invalid_argument.
result<void> check_endpoint(std::string const &endpoint, bool has_keys);

/// The path of an ipc:// endpoint; empty for others.
std::string ipc_path_of(std::string const &endpoint);

/// Makes a path free for binding: creates its directory (one level, 0755) if it is missing and removes a
/// socket that nobody listens on. Anything else in its place, a living daemon above all, is an error.
result<void> prepare_ipc_path(std::string const &path);

/// Owner group and mode of a socket just bound.
result<void> guard_ipc_path(std::string const &path, ipc_access const &access);

} // namespace ezio
