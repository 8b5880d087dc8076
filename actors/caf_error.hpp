#pragma once

#include "actors/core/error.hpp"

#include <caf/fwd.hpp>

#include <string_view>

namespace ezio
{

/// What a request to @p who (an actor's role, for the message) failed with: errc::timed_out or errc::aborted.
error from_caf(caf::error const &failure, std::string_view who);

} // namespace ezio
