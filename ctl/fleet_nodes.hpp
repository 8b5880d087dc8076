#pragma once

#include "actors/core/result.hpp"
#include "ctl/curve.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

/// One daemon of many.
struct fleet_node {
	std::string name;
	daemon_endpoint daemon;
};

/// Where a node's daemon is if only its host is named.
inline constexpr std::string_view fleet_port = "5555";
inline constexpr std::size_t fleet_nodes_max = 10000;

/// What --nodes names: a file of that name, else a comma list of HOST, HOST:PORT or URL, each its own name.
/// Keys that a node does not name itself are those of @p defaults. errc::invalid_argument, not_found or
/// io_error.
result<std::vector<fleet_node>> read_fleet(std::string const &file_or_list, daemon_endpoint const &defaults);

/// The lines of such a file: "NAME [ENDPOINT [SERVER-KEY]]", empty ones and comments (# first). Without an
/// endpoint, the name is the host. errc::invalid_argument names @p origin and the line.
result<std::vector<fleet_node>> parse_fleet(
	std::string_view text, std::string const &origin, daemon_endpoint const &defaults);

} // namespace ezio::ctl
