#include "ctl/render_fleet.hpp"

#include "ctl/text_format.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <sstream>
#include <utility>

namespace ezio::ctl
{

namespace
{

std::string_view colour_of(node_standing standing)
{
	switch (standing) {
	case node_standing::failed:
		return "31";
	case node_standing::unreachable:
		return "35";
	case node_standing::asking:
	case node_standing::empty:
	case node_standing::paused:
		return "33";
	case node_standing::active:
		return "36";
	case node_standing::done:
		return "32";
	}
	return "";
}

/// "1.5": two decimals, without help of a locale.
std::string format_ratio(std::uint64_t part, std::uint64_t whole)
{
	auto const hundredths = static_cast<std::uint64_t>(
		std::llround(100.0 * static_cast<double>(part) / static_cast<double>(whole)));
	auto const decimals = std::to_string(hundredths % 100);
	return std::to_string(hundredths / 100) + "." + (decimals.size() < 2 ? "0" : "") + decimals;
}

std::vector<cell> cells_of(node_row const &row)
{
	auto const has_figures = row.torrents > 0;
	auto const shown = [&](std::string text) { return cell{has_figures ? std::move(text) : "-"}; };
	return {{printable(row.name)},
		{printable(row.state) + (row.is_source ? " (source)" : ""), colour_of(row.standing)},
		shown(format_percent(row.progress)),
		shown(format_bytes(row.done_bytes) + " / " + format_bytes(row.size_bytes)),
		{format_rate(row.down_rate)}, {format_rate(row.up_rate)}, shown(std::to_string(row.peers)),
		{row.eta_seconds ? format_duration(*row.eta_seconds) : "-"},
		{row.failure ? printable(to_string(*row.failure)) : std::string(), "31"}};
}

/// Two of totals, the titles, the keys.
constexpr std::size_t lines_around_rows = 4;

} // namespace

std::string render_fleet(
	std::vector<node_row> const &rows, std::vector<std::size_t> const &order, bool use_colour)
{
	std::vector<column_head> const heads{{"NODE", false}, {"STATE", false}, {"PROGRESS", true},
		{"DONE/SIZE", true}, {"DOWN", true}, {"UP", true}, {"PEERS", true}, {"ETA", true}, {"ERROR", false}};
	std::vector<std::vector<cell>> cells;
	cells.reserve(order.size());
	for (auto const index : order)
		cells.push_back(cells_of(rows[index]));
	return format_table(heads, cells, use_colour);
}

std::string render_fleet_totals(fleet_totals const &totals)
{
	std::string counts;
	for (auto const &[standing, count] : totals.counts)
		counts +=
			(counts.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(standing));
	auto text = std::to_string(totals.nodes) + (totals.nodes == 1 ? " node: " : " nodes: ") + counts + "; " +
		format_bytes(totals.done_bytes) + " of " + format_bytes(totals.size_bytes) + "; down " +
		format_rate(totals.down_rate);
	if (totals.eta_seconds)
		text += "; last done in " + format_duration(*totals.eta_seconds);
	if (totals.source_size_bytes > 0)
		text += "; sources sent " + format_bytes(totals.source_uploaded_bytes) + ", " +
			format_ratio(totals.source_uploaded_bytes, totals.source_size_bytes) + " images, at " +
			format_rate(totals.source_up_rate);
	return text + "\n";
}

std::size_t fleet_rows_shown(screen_size size)
{
	return size.rows > lines_around_rows ? size.rows - lines_around_rows : 0;
}

std::vector<std::string> draw_fleet(fleet_totals const &totals, std::vector<node_row> const &rows,
	std::vector<std::size_t> const &order, std::size_t first, screen_size size, bool use_colour)
{
	auto const cut = [&size](std::string const &text) { return cut_to_width(text, size.columns); };
	auto summary = render_fleet_totals(totals);
	summary.pop_back();
	// Who is where on one line, what moves on the next.
	auto const end = std::min(summary.find("; "), summary.size());
	std::vector<std::string> lines{
		cut(summary.substr(0, end)), cut(summary.substr(std::min(end + 2, summary.size())))};

	auto const begin = std::min(first, order.size());
	auto const count = std::min(fleet_rows_shown(size), order.size() - begin);
	auto const visible = std::span(order).subspan(begin, count);
	std::istringstream listed(render_fleet(rows, {visible.begin(), visible.end()}, false));
	std::string line;
	for (std::size_t i = 0; std::getline(listed, line); ++i) {
		line = cut(line);
		if (use_colour && i > 0)
			line = "\x1b[" + std::string(colour_of(rows[visible[i - 1]].standing)) + "m" + line + "\x1b[0m";
		lines.push_back(std::move(line));
	}
	lines.resize(size.rows);
	if (!lines.empty())
		lines.back() = cut("q quit  j k scroll  space b page  g G ends  d done ones   " +
			std::to_string(std::min(begin + 1, order.size())) + "-" + std::to_string(begin + count) + " of " +
			std::to_string(order.size()));
	return lines;
}

} // namespace ezio::ctl
