#pragma once

#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

struct used_blocks {
	std::string filesystem;         ///< "ext4", or "raw"
	std::vector<byte_range> ranges; ///< ascending, disjoint, within the device
};

/// Which bytes of a source have to be carried. @p filesystem is "auto" (ask blkid), "raw" (all of it) or the
/// word after the dot of a partclone program. @p is_mounted makes partclone read a mounted filesystem.
/// errc::unsupported if nothing knows the filesystem; errc::invalid_argument with partclone's own last words
/// if it refuses the source.
result<used_blocks> find_used_blocks(std::string const &source, std::string const &filesystem,
	std::uint64_t device_bytes, bool is_mounted, std::atomic<bool> const &interrupted);

} // namespace ezio
