#pragma once

#include "actors/core/result.hpp"
#include "actors/core/torrent_session.hpp"

#include <libtorrent/fwd.hpp>
#include <libtorrent/settings_pack.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

/// Settings that are ours to remember, since libtorrent takes them per torrent or never.
struct torrent_defaults {
	bool is_sequential = false;
	bool verifies_source = false; ///< a source hashes each piece before it sends it for the first time
	bool has_pex = true;
	std::vector<std::string> trackers;
	/// What connections may hand over at once, for receive_room. 0: the operator has set their buffers.
	std::uint64_t receive_pool_bytes = 0;
};

/// libtorrent's settings for imaging over a LAN, before the operator's own: no encryption, TCP only, deep
/// request queues, generous send buffers, quick reconnects.
lt::settings_pack lan_settings();

/// Translates one setting of the session table, or of libtorrent's own, into the pack or the defaults. A key
/// that is not the session's is errc::unknown_key.
result<void> translate_setting(
	session_setting const &setting, lt::settings_pack &pack, torrent_defaults &defaults);

/// Splits canonical list text at commas; empty text is an empty list.
std::vector<std::string> split_list(std::string const &text);

} // namespace ezio
