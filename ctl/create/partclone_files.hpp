#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace ezio
{

/// What `partclone.<fs> -D` says of a filesystem.
struct domain_log {
	std::uint64_t filesystem_bytes = 0;
	std::vector<byte_range> used; ///< ascending, disjoint, within the filesystem
};

/// Parses a domain log (ddrescue's map format). It must account for every byte of the filesystem, in order:
/// a log that was cut short is refused. errc::invalid_argument names the line.
result<domain_log> parse_domain_log(std::string_view text);

/// What `partclone -t` wrote: extents and the SHA-1 of each piece of 16 MiB of their concatenation.
struct partclone_info {
	std::uint64_t device_bytes = 0;
	std::vector<byte_range> extents; ///< ascending, disjoint, within the device
	std::vector<sha1_digest> pieces;
};
inline constexpr std::uint32_t partclone_piece_bytes = 16 * 1024 * 1024;

/// True if the text begins as a `torrent.info` does.
bool is_partclone_info(std::string_view text);

/// Parses a `torrent.info`. errc::invalid_argument names the line: syntax, extents out of order or beyond the
/// device, a file that was cut short, or hashes that do not match the extents in number.
result<partclone_info> parse_partclone_info(std::string_view text);

} // namespace ezio
