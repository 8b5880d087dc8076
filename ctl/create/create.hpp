#pragma once

#include "actors/core/result.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ezio
{

/// What `ezioctl create` asks for.
struct create_options {
	/// A block device, an image file, or a `torrent.info` of partclone (then nothing is read but that file).
	std::string source;
	std::string output; ///< written atomically; an existing regular file is replaced
	/// "auto", "raw", or a filesystem partclone knows: the word after the dot of `partclone.ext4`.
	std::string filesystem = "auto";
	std::uint32_t piece_bytes = 0; ///< 0: chosen by covered size; else a power of two, 64 KiB to 16 MiB
	bool is_hybrid = false;        ///< v1 + v2 instead of v1
	std::vector<std::string> trackers;
	std::string comment;
	std::string name; ///< empty: the last element of the source's path
	std::string creator = "ezioctl";
	std::optional<std::uint64_t> created_unix; ///< default: SOURCE_DATE_EPOCH, else the clock
	bool allow_mounted = false;                ///< read a source that is mounted read-write all the same
	unsigned threads = 0;                      ///< 0: one a core
};

/// What was made.
struct create_report {
	std::string info_hash;    ///< 40 hexadecimal digits (v1)
	std::string info_hash_v2; ///< 64 digits; empty unless hybrid
	std::string name;
	std::string source;
	std::string file;       ///< the torrent
	std::string filesystem; ///< "ext4"; "raw"; "torrent.info"
	std::uint64_t torrent_bytes = 0;
	std::uint32_t pieces = 0;
	std::uint32_t piece_bytes = 0;
	std::uint64_t extents = 0;
	std::uint64_t covered_bytes = 0; ///< bytes of the device that the torrent carries
	std::uint64_t device_bytes = 0;  ///< size of the source
	double seconds = 0;
};

/// Bytes hashed so far and in all. Called by the thread that called create_torrent, a few times a second and
/// once at the end.
using create_progress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

/// Makes a torrent. Blocks; hashes on all cores; memory is bounded by 4 MiB or one piece a thread. Stops soon
/// after @p interrupted becomes true with errc::interrupted. On any failure no output file is left or
/// changed. errc::target_refused (check "mounted") if the source is mounted read-write; io_error names the
/// offset; unsupported if no partclone program handles the filesystem; invalid_argument for options that
/// cannot be.
result<create_report> create_torrent(
	create_options const &options, create_progress const &progress, std::atomic<bool> const &interrupted);

} // namespace ezio
