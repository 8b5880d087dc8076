#pragma once

#include "actors/core/result.hpp"

#include <optional>
#include <string>

namespace ezio::ctl
{

/// A pair of CURVE keys, each as Z85.
struct key_pair {
	std::string public_key;
	std::string secret_key;
};

/// A new pair from the system's random numbers.
result<key_pair> make_key_pair();

/// What a client needs to speak to a daemon over tcp.
struct curve_keys {
	key_pair own;
	std::string server_key; ///< the daemon's public key: nobody else can answer in its place
};

/// Where a daemon is, and where the keys for it are. They count for tcp only, and are read when a connection
/// is made; a daemon that uses no keys is reached over tcp without any.
struct daemon_endpoint {
	std::string url;
	std::optional<std::string> key_path;   ///< a file with this client's secret key
	std::optional<std::string> server_key; ///< the daemon's public key, or a file with it
};

/// The keys of an endpoint; nothing if it names none. errc::invalid_argument (one without the other), denied,
/// not_found or io_error.
result<std::optional<curve_keys>> read_curve_keys(daemon_endpoint const &of);

} // namespace ezio::ctl
