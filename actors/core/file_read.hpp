#pragma once

#include "actors/core/result.hpp"

#include <cstddef>
#include <string>

namespace ezio
{

/// The whole content of a file. io_error with operation and path if it cannot be read, out_of_range if it has
/// more than @p bytes_max.
result<std::string> read_file(std::string const &path, std::size_t bytes_max);

} // namespace ezio
