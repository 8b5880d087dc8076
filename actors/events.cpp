#include "actors/events.hpp"

#include "actors/core/unix_time.hpp"

#include <utility>

namespace ezio
{

std::string_view to_string(event_kind kind)
{
	switch (kind) {
	case event_kind::torrent_added:
		return "torrent-added";
	case event_kind::torrent_removed:
		return "torrent-removed";
	case event_kind::torrent_state:
		return "torrent-state";
	case event_kind::torrent_synced:
		return "torrent-synced";
	case event_kind::torrent_verified:
		return "torrent-verified";
	case event_kind::torrent_warmed:
		return "torrent-warmed";
	case event_kind::torrent_error:
		return "torrent-error";
	case event_kind::disk_error:
		return "disk-error";
	case event_kind::disk_retry:
		return "disk-retry";
	case event_kind::hash_failed:
		return "hash-failed";
	case event_kind::peer_connected:
		return "peer-connected";
	case event_kind::peer_disconnected:
		return "peer-disconnected";
	case event_kind::peer_banned:
		return "peer-banned";
	case event_kind::tracker_error:
		return "tracker-error";
	case event_kind::setting_changed:
		return "setting-changed";
	case event_kind::daemon_started:
		return "daemon-started";
	case event_kind::daemon_stopping:
		return "daemon-stopping";
	case event_kind::warning:
		return "warning";
	}
	return "unknown";
}

event make_event(event_kind kind, std::string info_hash, std::string text)
{
	event e;
	e.kind = kind;
	e.unix_ms = unix_ms_now();
	e.info_hash = std::move(info_hash);
	e.text = std::move(text);
	return e;
}

} // namespace ezio
