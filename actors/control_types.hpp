#pragma once

#include "actors/core/result.hpp"
#include "actors/core/settings_service.hpp"
#include "actors/core/torrent_session.hpp"
#include "actors/messages.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace ezio
{

// One struct per verb of docs/protocol.md.

struct ping_request {
};
struct version_request {
};
struct status_request {
	std::vector<std::string> selectors; ///< empty: all
};
/// The verbs that change torrents and answer nothing but whom they changed.
enum class torrent_verb : std::uint8_t { pause, resume, remove, verify, warm, reannounce };
struct torrent_request {
	torrent_verb verb = torrent_verb::pause;
	std::vector<std::string> selectors; ///< empty: refused
};
struct tune_request {
	torrent_tuning tuning;
	std::vector<std::string> selectors; ///< empty: refused
};
struct peers_request {
	std::vector<std::string> selectors; ///< empty: all
};
struct report_request {
	std::vector<std::string> selectors; ///< empty: all
};
struct get_request {
	std::vector<std::string> keys; ///< empty: all
};
struct set_request {
	std::string key;
	std::string value;
	bool save = false;
};
struct reload_request {
};
struct stats_request {
};
struct shutdown_request {
};

using control_verb = std::variant<ping_request, version_request, add_request, status_request, torrent_request,
	tune_request, peers_request, report_request, get_request, set_request, reload_request, stats_request,
	shutdown_request>;

/// One request as the control actor takes it.
struct control_request {
	control_verb verb;
};

struct ping_reply {
};
/// What the daemon says of itself.
struct version_reply {
	std::string version;
	int protocol = 1;
	std::string libtorrent;
	std::string caf;
	int pid = 0;
	std::uint64_t uptime_ms = 0;
	std::string events_endpoint;
};
struct add_reply {
	std::string info_hash;
};
struct status_reply {
	std::vector<torrent_row> rows;
};
struct torrent_reply {
	std::vector<std::string> info_hashes;
};
struct peers_of_torrent {
	std::string info_hash;
	std::string name;
	std::vector<peer_row> peers;
};
struct peers_list_reply {
	std::vector<peers_of_torrent> torrents;
};
/// Rows with their evidence, and who says so.
struct report_reply {
	std::uint64_t unix_ms = 0; ///< when it was made
	version_reply daemon;
	std::vector<torrent_row> rows;
};
struct get_reply {
	std::vector<setting_row> settings;
};
struct shutdown_reply {
};

using control_answer = std::variant<ping_reply, version_reply, add_reply, status_reply, torrent_reply,
	peers_list_reply, report_reply, get_reply, setting_change, reload_report, stats_report, shutdown_reply>;
using control_reply = result<control_answer>;

using settings_reply = result<std::vector<setting_row>>;
using change_reply = result<setting_change>;
using reload_reply = result<reload_report>;

using get_atom = caf::atom_constant<caf::atom("get")>;
using set_atom = caf::atom_constant<caf::atom("set")>;
using reload_atom = caf::atom_constant<caf::atom("reload")>;

using control_actor = caf::typed_actor<
	// Carries the request out and answers; never waits for long in its own thread.
	caf::replies_to<control_request>::with<control_reply>,
	// Ends; what is under way is answered as aborted.
	caf::reacts_to<stop_atom>>;

using settings_actor = caf::typed_actor<
	// Rows of the named keys, all if none is named.
	caf::replies_to<get_atom, std::vector<std::string>>::with<settings_reply>,
	// Validates and applies; may wait for the session and write the configuration file.
	caf::replies_to<set_atom, set_request>::with<change_reply>,
	// Reads the file again and applies what changed.
	caf::replies_to<reload_atom>::with<reload_reply>,
	// Ends.
	caf::reacts_to<stop_atom>>;

} // namespace ezio

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::control_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::control_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::set_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::settings_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::change_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::reload_reply)
