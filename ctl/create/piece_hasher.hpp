#pragma once

#include "actors/bt/torrent_file.hpp"
#include "actors/core/extent_map.hpp"
#include "actors/core/result.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ezio
{

/// Reads every piece of the layout from @p source and hashes it, on @p threads threads. Each takes up to 16
/// pieces side by side and holds 256 KiB of each. A rotational source is read by one thread at a time, in
/// order, by whole pieces. @p progress is called by the calling thread. The first error stops all;
/// errc::interrupted soon after @p interrupted becomes true.
result<std::vector<piece_hashes>> hash_pieces(std::string const &source, torrent_description const &layout,
	unsigned threads, std::function<void(std::uint64_t, std::uint64_t)> const &progress,
	std::atomic<bool> const &interrupted);

} // namespace ezio
