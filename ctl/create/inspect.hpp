#pragma once

#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

/// What a torrent file covers and what is wrong with it. Fields that a fault made unknowable keep their
/// defaults.
struct inspect_report {
	std::string file;
	std::uint64_t torrent_bytes = 0; ///< size of the file itself
	bool is_usable = false;          ///< eziod would accept it: faults is empty
	std::vector<std::string> faults; ///< one sentence each; the first is what `add` would say

	std::string name;
	std::string info_hash;    ///< 40 hexadecimal digits: v1, or the first 20 bytes of v2's
	std::string info_hash_v2; ///< 64 digits, or empty
	bool has_v1 = false;
	bool has_v2 = false;
	std::uint32_t pieces = 0;
	std::uint32_t piece_bytes = 0;
	std::uint64_t files = 0;             ///< entries, padding included
	std::uint64_t covered_bytes = 0;     ///< bytes on the device, without padding
	std::uint64_t padding_bytes = 0;     ///< zeros that lie on no device
	std::uint64_t highest_end_bytes = 0; ///< first byte after the highest extent: the least size of a target
	std::vector<byte_range> extents;     ///< on the device, merged, ascending
	std::vector<std::string> trackers;
	std::string comment;
	std::string creator;
	std::uint64_t created_unix = 0; ///< 0 if not given
};

/// Reads and examines a torrent file. An error only if the file cannot be read or is larger than 16 MiB;
/// whatever is wrong with its contents is in the report.
result<inspect_report> inspect_torrent_file(std::string const &path);

} // namespace ezio
