#pragma once

#include "actors/core/result.hpp"

#include <cstdint>
#include <string_view>

namespace ezio::ctl
{

/// Bytes a second of a rate as it is written for a limit: "500KiB/s", "16 MiB/s", a bare number of KiB/s as
/// in the configuration, "none" or 0 for no limit. errc::invalid_argument; at most 2 GiB/s less a byte.
result<std::uint64_t> parse_rate(std::string_view text);

} // namespace ezio::ctl
