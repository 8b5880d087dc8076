#pragma once

#include "actors/core/result.hpp"
#include "daemon/access_list.hpp"

#include <optional>
#include <string>

namespace ezio
{

/// How clients over tcp prove who they are. ipc sockets are guarded by their mode instead.
struct curve_access {
	std::string secret_key; ///< the daemon's, Z85
	access_list clients;
};

/// Reads both files of the configuration (control.curve-secret-key, control.authorized-keys); nothing where
/// no secret key is configured. errc::invalid_argument, denied, not_found or io_error, with the file's name.
result<std::optional<curve_access>> read_curve_access(
	std::string const &secret_key_path, std::string const &authorized_keys_path);

} // namespace ezio
