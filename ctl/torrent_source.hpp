#pragma once

#include "actors/core/result.hpp"

#include <cstddef>
#include <string>

namespace ezio::ctl
{

/// The content of a torrent file for `add`. errc::not_found if there is none, errc::invalid_torrent if it is
/// empty, no regular file or larger than @p bytes_max, else errc::io_error.
result<std::string> read_torrent_file(std::string const &path, std::size_t bytes_max);

} // namespace ezio::ctl
