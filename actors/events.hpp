#pragma once

#include "actors/core/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ezio
{

/// What travels on the bus. One plain struct, since every subscriber (logger, event socket, stats) shows or
/// counts events of all kinds; the kind decides which fields are set.
enum class event_kind : std::uint8_t {
	torrent_added,
	torrent_removed,
	torrent_state,    ///< old_value, new_value: torrent_state names
	torrent_synced,   ///< complete and on stable storage
	torrent_verified, ///< new_value: number of bad pieces
	torrent_warmed,   ///< new_value: bytes that the warm-up left in the cache; failure, if a read ended it
	torrent_error,    ///< failure
	disk_error,       ///< failure; also for errors that do not stop a torrent (reads)
	disk_retry,       ///< failure: of a transfer that was tried again; new_value: how many were since
	hash_failed,      ///< piece
	peer_connected,   ///< peer
	peer_disconnected,
	peer_banned,
	tracker_error,
	setting_changed, ///< key, old_value, new_value
	daemon_started,
	daemon_stopping,
	warning ///< text
};

/// "torrent-state": the topic of the event socket and the word in logs.
std::string_view to_string(event_kind kind);

struct event {
	event_kind kind = event_kind::warning;
	std::uint64_t unix_ms = 0; ///< when it happened
	std::string info_hash;     ///< empty if it concerns no torrent
	std::string text;          ///< one sentence for people
	std::string key;
	std::string old_value;
	std::string new_value;
	std::string peer;
	std::int32_t piece = -1;
	std::optional<error> failure;
};

/// Stamps the time.
event make_event(event_kind kind, std::string info_hash = {}, std::string text = {});

} // namespace ezio
