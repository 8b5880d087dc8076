#pragma once

#include "actors/bt/disk_adapter.hpp"
#include "actors/core/target_check.hpp"
#include "actors/core/torrent_session.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// What a session works with; all of it outlives the session.
struct bt_session_config {
	block_arena *arena = nullptr;
	route_source *routes = nullptr;
	device_registry *devices = nullptr;
	std::vector<session_setting> settings; ///< all session keys of the configuration and libtorrent's own
};

/// Starts a libtorrent session over our partitions. Fails if no listening socket can be opened, with the
/// system's reason.
result<std::unique_ptr<torrent_session>> make_bt_session(bt_session_config config);

/// "2.0.8.0": of the library that is loaded.
std::string libtorrent_version();

/// Is this a setting of libtorrent that no key of ours stands for, and the value of its type? Returns the
/// canonical text.
result<std::string> check_libtorrent_setting(std::string_view key, std::string_view value);

} // namespace ezio
