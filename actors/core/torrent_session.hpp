#pragma once

#include "actors/core/error.hpp"
#include "actors/core/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// The life of a torrent as operators see it. finished: complete, on stable storage, not uploading; seeding:
/// the same and uploading.
enum class torrent_state : std::uint8_t {
	checking,
	downloading,
	syncing,
	finished,
	seeding,
	verifying,
	paused,
	error
};

std::string_view to_string(torrent_state state);
std::optional<torrent_state> torrent_state_from_string(std::string_view name);

/// What `add` asks for.
struct add_request {
	std::string torrent;  ///< the metainfo file's bytes (at most 16 MiB)
	std::string target;   ///< path of the block device or image file
	bool is_seed = false; ///< the target already holds the data; opened read-only
	bool is_sequential = false;
	bool is_paused = false;
	std::vector<std::string> peers;    ///< "host:port", "[v6]:port"
	std::vector<std::string> trackers; ///< in addition to the torrent's own
	int uploads_max = -1;              ///< -1: the session's default
	int connections_max = -1;
	std::set<std::string> allowed_checks;
};

/// One torrent in `status`. Rates are bytes per second; sizes are bytes of payload without padding.
struct torrent_row {
	std::string info_hash; ///< 40 hexadecimal digits (v1, or the first 20 bytes of v2's)
	std::string name;
	std::string target;
	torrent_state state = torrent_state::checking;
	bool is_seed = false;     ///< added with --seed
	bool is_synced = false;   ///< complete and flushed to stable storage
	bool is_verified = false; ///< the last verify read the device itself and found every piece right
	std::uint64_t size_bytes = 0;
	std::uint64_t done_bytes = 0; ///< bytes of pieces whose hash matched and whose writes succeeded
	std::uint64_t downloaded_bytes = 0;
	std::uint64_t uploaded_bytes = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	std::uint32_t peers = 0;
	std::uint32_t seeds = 0;
	std::uint32_t pieces_total = 0;
	std::uint32_t pieces_done = 0;
	std::uint32_t piece_bytes = 0;
	std::uint32_t hash_failures = 0; ///< pieces that came with a wrong hash
	double progress = 0;             ///< 0 to 1; of the check or verification while one runs
	std::optional<std::uint64_t> eta_seconds;
	std::uint64_t added_unix_ms = 0;
	std::optional<error> failure;
	std::optional<std::uint32_t> bad_pieces; ///< of the last verify
};

struct peer_row {
	std::string endpoint; ///< "10.0.0.7:6881"
	std::string client;
	double progress = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	std::uint64_t downloaded_bytes = 0;
	std::uint64_t uploaded_bytes = 0;
	bool is_incoming = false;
	bool is_seed = false;
	std::string source; ///< "manual", "pex", "lsd", "tracker", "dht", "incoming"
	std::string flags;  ///< i interested, I peer interested, c choked, C peer choked, s snubbed
};

/// What a session reports of its own accord. Plain data; published on the bus by the session actor.
struct session_event {
	enum class kind : std::uint8_t {
		added,
		removed,
		state_changed, ///< text: "old -> new"
		finished,      ///< every piece has passed its hash and every write returned
		hash_failed,   ///< piece
		peer_connected,
		peer_disconnected,
		peer_banned,
		tracker_error,
		listen_failed,
		torrent_error,
		warning
	};
	kind what = kind::warning;
	std::string info_hash;
	std::string text;
	std::string peer;
	std::int32_t piece = -1;
	std::optional<error> failure;
};

} // namespace ezio
