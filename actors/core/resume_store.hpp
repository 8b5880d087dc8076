#pragma once

#include "actors/core/device_identity.hpp"
#include "actors/core/result.hpp"
#include "actors/core/torrent_session.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ezio
{

/// What is kept of a torrent so that a restart can go on with it.
struct kept_torrent {
	std::string info_hash;
	std::shared_ptr<add_request const> request; ///< as the operator made it
	device_identity device;
	std::uint64_t added_unix_ms = 0;
	bool is_paused = false;
	/// The torrent had failed: nothing is known of what its device holds.
	bool is_doubtful = false;
	/// By piece: passed its hash, was written without an error and flushed to stable storage since.
	std::vector<bool> pieces;
	std::string name; ///< of the torrent; empty in what older daemons kept
	torrent_times times;
	std::optional<error> failure; ///< it had failed, and nobody has resumed it since
};

/// Where it is kept. Used by one actor; may block on the file system.
class resume_store
{
public:
	virtual ~resume_store() = default;
	/// Replaces what was kept of the torrent, atomically and durably.
	virtual result<void> save(kept_torrent const &torrent) = 0;
	/// Nothing is kept of it any more.
	virtual result<void> erase(std::string const &info_hash) = 0;
};

} // namespace ezio
