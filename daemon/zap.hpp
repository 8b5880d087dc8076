#pragma once

#include "daemon/access_list.hpp"

#include <string>
#include <vector>

namespace ezio
{

/// What is asked of a ZAP handler has this many frames (RFC 27), for CURVE one with the key.
inline constexpr std::size_t zap_request_frames = 7;

/// The answer to one ZAP request.
struct zap_decision {
	std::vector<std::string> reply;
	/// The client's key as Z85, empty if the request was none of CURVE. It is the user id of the connection,
	/// by which each of its messages is looked up again.
	std::string key;
	std::string address; ///< where the client connects from
	bool is_let_in = false;
};

/// Decides about one handshake. Pure. A refusal has the status 300, upon which ZeroMQ closes the connection
/// without a word; 400 would tell the client that its key is the reason.
zap_decision decide_zap(std::vector<std::string> const &request, access_list const &clients);

} // namespace ezio
