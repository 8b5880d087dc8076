#pragma once

#include "ctl/fleet_view.hpp"

#include <string>
#include <vector>

namespace ezio::ctl
{

/// One row a node in that order, with whole error texts.
std::string render_fleet(
	std::vector<node_row> const &rows, std::vector<std::size_t> const &order, bool use_colour);
/// "200 nodes: 3 unreachable, 17 active, 180 done; 1.2 TiB of 1.3 TiB; down 1.1 GiB/s; last done in 42 s;
/// sources sent 12.0 GiB, 1.50 images, at 110.2 MiB/s"
std::string render_fleet_totals(fleet_totals const &totals);

} // namespace ezio::ctl
