#pragma once

#include "actors/core/error.hpp"

namespace ezio::wire
{

/// What ezioctl's exit status says.
enum class exit_status : int {
	done = 0,
	failure = 1,     ///< anything that has no number of its own
	usage = 2,       ///< the command line or an argument cannot be right
	refused = 3,     ///< a safety check refused the target or the torrent
	io = 4,          ///< I/O error on a target
	integrity = 5,   ///< bytes do not match their hash
	timed_out = 6,   ///< a condition or an answer did not come in time
	unreachable = 7, ///< no daemon there, or it denies access
	interrupted = 8, ///< by a signal; what was under way in the daemon goes on
};

exit_status exit_status_of(errc code);

} // namespace ezio::wire
