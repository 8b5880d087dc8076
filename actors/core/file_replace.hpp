#pragma once

#include "actors/core/result.hpp"

#include <string>
#include <string_view>

namespace ezio
{

/// Puts @p text in place of a file's content, atomically and durably: a reader sees the old bytes or the new,
/// also after a crash. Mode and owner are kept (mode 0644 if the file is new); a symbolic link is followed.
/// On failure (io_error with operation and path) the file is as it was and nothing is left beside it; only
/// where the fsync of the directory fails, the new bytes are there but perhaps not durable.
result<void> replace_file(std::string const &path, std::string_view text);

/// Removes a file durably. One that does not exist is as good as removed.
result<void> remove_file(std::string const &path);

} // namespace ezio
