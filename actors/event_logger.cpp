#include "actors/event_logger.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace ezio
{

namespace
{

spdlog::level::level_enum level_of(event_kind kind)
{
	switch (kind) {
	case event_kind::torrent_error:
	case event_kind::disk_error:
		return spdlog::level::err;
	case event_kind::disk_retry:
	case event_kind::hash_failed:
	case event_kind::peer_banned:
	case event_kind::tracker_error:
	case event_kind::warning:
		return spdlog::level::warn;
	case event_kind::peer_connected:
	case event_kind::peer_disconnected:
		return spdlog::level::debug;
	case event_kind::torrent_added:
	case event_kind::torrent_removed:
	case event_kind::torrent_state:
	case event_kind::torrent_synced:
	case event_kind::torrent_verified:
	case event_kind::torrent_warmed:
	case event_kind::setting_changed:
	case event_kind::daemon_started:
	case event_kind::daemon_stopping:
		return spdlog::level::info;
	}
	return spdlog::level::err;
}

} // namespace

std::string to_line(event const &e)
{
	auto line = std::string(to_string(e.kind));
	auto const add = [&line](char const *label, std::string const &text) {
		if (!text.empty())
			line += std::string(" ") + label + text;
	};
	add("torrent=", e.info_hash);
	add("peer=", e.peer);
	if (e.piece >= 0)
		add("piece=", std::to_string(e.piece));
	add("key=", e.key);
	add("old=", e.old_value);
	add("new=", e.new_value);
	if (!e.text.empty())
		line += ": " + e.text;
	if (!e.failure)
		return line;
	if (auto const story = to_string(*e.failure); e.text.find(story) == std::string::npos)
		line += ": " + story;
	return line;
}

event_subscriber_actor::behavior_type event_logger(
	event_subscriber_actor::stateful_pointer<event_logger_state> self, std::shared_ptr<spdlog::logger> logger)
{
	self->state.logger = std::move(logger);
	return {
		[self](event const &e) {
			auto const level = level_of(e.kind);
			if (self->state.logger->should_log(level))
				self->state.logger->log(level, to_line(e));
		},
		[self](stop_atom) { self->quit(); },
	};
}

} // namespace ezio
