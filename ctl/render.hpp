#pragma once

#include "ctl/torrent_list.hpp"
#include "ctl/wire/codec.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

// Replies as text for people. Values that a reply lacks are shown as "-"; nothing here fails or throws.

std::string render_status(
	std::vector<torrent_view> const &torrents, std::vector<std::string> const &columns, bool use_colour);
/// Several lines a torrent, with all that is known and whole error texts.
std::string render_status_verbose(std::vector<torrent_view> const &torrents, bool use_colour);
/// "2 downloading, 1 seeding"
std::string render_counts(std::vector<torrent_view> const &torrents, bool use_colour);
/// "12.0 GiB of 30.0 GiB; down 1.1 GiB/s, up -; 7 peers"
std::string render_sums(std::vector<torrent_view> const &torrents);
/// "3 torrents: 2 downloading, 1 seeding; 12.0 GiB of 30.0 GiB; down 1.1 GiB/s, up -; 7 peers"
std::string render_totals(std::vector<torrent_view> const &torrents);
/// One line for `wait` on a terminal: bar, percentage, rate, eta, states.
std::string render_progress(std::vector<torrent_view> const &torrents);

std::string render_peers(nlohmann::json const &reply, bool use_colour);
/// The same of one torrent, without its name.
std::string render_peers_of(nlohmann::json const &torrent, bool use_colour);
std::string render_settings(nlohmann::json const &reply, bool use_colour);
/// "cache-size = 2048" lines.
std::string render_values(nlohmann::json const &reply);
/// "cache-size: 512 -> 2048 (active now)".
std::string render_change(nlohmann::json const &change, bool is_active);
std::string render_reload(nlohmann::json const &reply);
std::string render_stats(nlohmann::json const &reply, bool use_colour);
/// What a glance at `stats` needs, on one line each, or nothing: "cache 0.8 GiB of 1.0 GiB, ...",
/// "bottleneck: disk: ...".
std::string render_cache_use(nlohmann::json const &stats);
std::string render_bottleneck(nlohmann::json const &stats);
/// The table of devices, of @p device only; nothing if there is no such.
std::string render_device(nlohmann::json const &stats, std::string_view device, bool use_colour);
std::string render_event(wire::event_message const &event, bool use_colour);

} // namespace ezio::ctl
