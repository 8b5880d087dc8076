#pragma once

#include "ctl/fleet_poll.hpp"
#include "ctl/run.hpp"

#include <chrono>

namespace ezio::ctl
{

/// What the verbs of `fleet` have in common.

/// One node that hangs costs no more than that.
inline constexpr std::chrono::seconds fleet_node_time{5};
/// Between an answer of a node and the next question to it.
inline constexpr std::chrono::seconds fleet_pause{1};
/// Redrawing more often would show nothing that somebody could read.
inline constexpr std::chrono::milliseconds fleet_draw_pause{500};

/// The nodes that --nodes names, and what the words behind the first select on them.
result<fleet_poll> open_fleet(command_context const &context, fleet_poll::pace how);

struct fleet_rows {
	explicit fleet_rows(std::vector<node_facts> const &facts);
	std::vector<node_row> rows;
	fleet_totals totals;
};

handler_result run_fleet_top(command_context const &context);

} // namespace ezio::ctl
