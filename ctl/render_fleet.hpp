#pragma once

#include "ctl/fleet_view.hpp"
#include "ctl/screen.hpp"

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

/// Rows of nodes that `fleet top` has room for.
std::size_t fleet_rows_shown(screen_size size);
/// The lines of `fleet top`, none wider than the screen: totals, titles, nodes from @p first on, keys.
std::vector<std::string> draw_fleet(fleet_totals const &totals, std::vector<node_row> const &rows,
	std::vector<std::size_t> const &order, std::size_t first, screen_size size, bool use_colour);

} // namespace ezio::ctl
