#pragma once

#include "actors/core/result.hpp"

#include <string>
#include <string_view>

namespace ezio::wire
{

/// ZeroMQ's RFC 32: five characters for four bytes. The number of bytes must be a multiple of four.
std::string z85_encode(std::string_view bytes);
/// Strict: only what z85_encode() could have produced, else errc::invalid_argument.
result<std::string> z85_decode(std::string_view text);

} // namespace ezio::wire
