#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/storage.hpp"

#include <libtorrent/fwd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace ezio
{

/// Asks a hash_piece job for the digests that piece_matches() needs.
void prepare_hash(lt::torrent_info const &info, disk_job &job);
/// Do the digests in a finished job match the torrent?
bool piece_matches(lt::torrent_info const &info, disk_job const &job);

/// Are the pieces that a torrent is said to have on its target? Hashes a few of them, the first and the last
/// among them: not a proof, but a device that was exchanged, restored or written to by another system is
/// found out. Reads at most 64 MiB, or two pieces. Answers why they are not to be trusted; empty if they are.
/// Blocks on the device; @p is_abandoned is asked before each piece and ends it.
std::string doubt_known_pieces(lt::torrent_info const &info, std::shared_ptr<storage> const &target,
	std::vector<bool> const &known, std::function<bool()> const &is_abandoned);

} // namespace ezio
