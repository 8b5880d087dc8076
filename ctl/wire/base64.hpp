#pragma once

#include "actors/core/result.hpp"

#include <string>
#include <string_view>

namespace ezio::wire
{

/// RFC 4648, standard alphabet, padded, on one line.
std::string base64_encode(std::string_view bytes);
/// Strict: only what base64_encode() could have produced, else errc::invalid_argument.
result<std::string> base64_decode(std::string_view text);

} // namespace ezio::wire
