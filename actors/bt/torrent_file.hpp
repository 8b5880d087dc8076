#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/extent_map.hpp"
#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <functional>
#include <string>
#include <vector>

namespace ezio
{

/// What a torrent file says, in our terms.
struct torrent_description {
	std::string name;
	std::string info_hash;    ///< 40 hexadecimal digits: v1, or the first 20 bytes of v2's
	std::string info_hash_v2; ///< 64 digits, or empty
	bool has_v1 = false;
	bool has_v2 = false;
	piece_geometry pieces;
	extent_map extents;
	std::uint32_t files = 0; ///< entries in the metainfo, padding included
	std::vector<std::string> trackers;
	std::string comment;
	std::string creator;
	std::uint64_t created_unix = 0; ///< 0 if not given
};

/// The largest metainfo file that is looked at.
inline constexpr std::size_t torrent_bytes_max = 16 * 1024 * 1024;

/// Parses and validates a torrent of extents (at most torrent_bytes_max). errc::invalid_torrent with one
/// clear sentence on any fault: syntax, names that are no offsets, overlapping extents, impossible piece
/// geometry.
result<torrent_description> parse_torrent(std::string const &bytes);

/// As parse_torrent, for a report: every fault that can be found in one pass, and what is known all the same.
struct torrent_examination {
	torrent_description description; ///< as far as the faults let it be known; whole if there are none
	std::vector<std::string>
		faults; ///< one sentence each, printable, at most 33; the first is parse_torrent's
};
torrent_examination examine_torrent(std::string const &bytes);

/// Digests of one piece, as the maker of a torrent computed them.
struct piece_hashes {
	sha1_digest sha1{}; ///< v1 and hybrid
	/// Hybrid: one a block of 16 KiB of the extent's bytes in this piece. The last block may be short;
	/// padding is not hashed here, though it is in sha1.
	std::vector<sha256_digest> block_sha256;
};

/// Everything that goes into a new torrent file.
struct torrent_plan {
	std::string name;
	std::vector<byte_range> extents; ///< device ranges, ascending, disjoint, not empty
	std::uint32_t piece_bytes = 0;
	bool is_hybrid = false; ///< v1 + v2 (BEP 52): each extent starts a piece, with padding between
	std::vector<std::string> trackers;
	std::string comment;
	std::string creator;
	std::uint64_t created_unix = 0;
};

/// The layout of the plan before any hash is known: geometry and map to read from the source.
/// errc::invalid_argument if the plan cannot be a torrent.
result<torrent_description> lay_out(torrent_plan const &plan);

/// The bencoded torrent: a directory of one file an extent, named by 32 hexadecimal digits of its offset.
/// @p hashes has one entry a piece. errc::out_of_range if it would be larger than torrent_bytes_max.
result<std::string> build_torrent(torrent_plan const &plan, std::vector<piece_hashes> const &hashes);

} // namespace ezio
