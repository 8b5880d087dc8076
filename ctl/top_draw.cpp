#include "ctl/render.hpp"
#include "ctl/text_format.hpp"
#include "ctl/top_text.hpp"
#include "ctl/top_view.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace ezio::ctl
{

namespace
{

std::string paint(std::string text, std::string_view colour, bool use_colour)
{
	if (!use_colour || colour.empty() || text.empty())
		return text;
	return "\x1b[" + std::string(colour) + "m" + std::move(text) + "\x1b[0m";
}

/// One text at each end of a line; the left one gives way.
std::string spread(std::string_view left, std::string_view right, std::size_t columns)
{
	auto const right_width = display_width(right);
	if (right_width + 2 > columns)
		return cut_to_width(right, columns);
	auto line = cut_to_width(left, columns - right_width - 2);
	line.append(columns - right_width - display_width(line), ' ');
	return line.append(right);
}

std::vector<std::string> lines_of(std::string const &text)
{
	std::vector<std::string> lines;
	std::istringstream stream(text);
	for (std::string line; std::getline(stream, line);)
		lines.push_back(std::move(line));
	return lines;
}

std::string shifted(std::string const &line, std::size_t columns)
{
	return line.substr(cut_to_width(line, columns).size());
}

/// "  error         pwritev ...": the colour of what is worth seeing.
std::string_view colour_of_fact(std::string_view line, torrent_view const &torrent)
{
	if (line.starts_with("  error ") || line.starts_with("  differs ") || line.starts_with("  unreadable ") ||
		line.find("FAILED") != std::string_view::npos)
		return "31";
	return line.starts_with("  state ") ? colour_of_state(torrent.state) : std::string_view();
}

constexpr std::size_t facts_indent = 16;

} // namespace

std::size_t top_view::torrents_shown(screen_size size) const
{
	return list_rows(size) / rows_per_torrent();
}

std::vector<std::string> top_view::draw(screen_size size, clock::time_point now)
{
	auto lines = m_page == page::list ? header(size, now) : std::vector{first_line(size.columns, now)};
	auto shown = m_page == page::list ? list_part(size) : text_part(size);
	std::ranges::move(shown.lines, std::back_inserter(lines));
	if (size.rows >= 3) {
		lines.resize(size.rows - 2);
		lines.push_back(status_line(size.columns));
		auto const range = std::to_string(shown.first) + "-" + std::to_string(shown.last) + " of " +
			std::to_string(shown.count);
		lines.push_back(
			spread(m_page == page::list ? "h help  q quit  Enter detail  / search  s sort  f filter  p pause"
										: "h help  q back  j k scroll  left right shift",
				range, size.columns));
	}
	lines.resize(size.rows);
	return lines;
}

std::string top_view::first_line(std::size_t columns, clock::time_point now) const
{
	if (auto const age = stale(now)) {
		auto const why = m_failure ? printable(to_string(*m_failure)) : "the daemon does not answer";
		auto const line =
			"STALE, " + format_duration(static_cast<std::uint64_t>(age->count())) + " old: " + why;
		return paint(cut_to_width(line, columns), "1;31", m_settings.use_colour);
	}
	return spread("eziod at " + printable(m_settings.endpoint),
		"by " + std::string(to_string(m_settings.key)) + (m_settings.is_reversed ? " reversed" : "") + ", " +
			(m_settings.filter.empty() ? "all" : printable(m_settings.filter)) + ", " +
			every(m_settings.interval_seconds),
		columns);
}

std::vector<std::string> top_view::header(screen_size size, clock::time_point now) const
{
	auto const counts = std::to_string(m_torrents.size()) +
		(m_torrents.size() == 1 ? " torrent" : " torrents") +
		(m_torrents.empty() ? "" : ": " + render_counts(m_torrents, m_settings.use_colour));
	std::vector<std::string> lines{first_line(size.columns, now), counts, render_sums(m_torrents)};
	for (auto const &line : {render_cache_use(m_stats), render_bottleneck(m_stats)})
		lines.push_back(line);
	lines.resize(list_header_lines(size) - 1);
	for (auto &line : lines)
		line = cut_to_width(line, size.columns);
	return lines;
}

top_view::part top_view::list_part(screen_size size)
{
	auto const use_colour = m_settings.use_colour;
	part shown;
	m_table.fit(size.columns, m_settings.is_verbose);
	shown.lines.push_back(paint(m_table.titles(), "1", use_colour));
	shown.count = m_order.size();
	if (m_order.empty()) {
		shown.lines.push_back(cut_to_width(m_torrents.empty()
				? "  no torrents: ezioctl add TORRENT TARGET"
				: "  none of them passes the filter \"" + printable(m_settings.filter) + "\": f shows others",
			size.columns));
		return shown;
	}
	auto const room = std::max<std::size_t>(1, torrents_shown(size));
	auto const row = selected_row();
	m_first = std::min(m_first, m_order.size() - std::min(m_order.size(), room));
	m_first = std::clamp(m_first, row + 1 - std::min(row + 1, room), row);
	auto const end = std::min(m_first + room, m_order.size());
	for (auto i = m_first; i < end; ++i) {
		auto const &torrent = m_torrents[m_order[i]];
		shown.lines.push_back(m_table.row(torrent, i == row, use_colour));
		if (m_settings.is_verbose)
			shown.lines.push_back(m_table.rest(torrent, use_colour));
	}
	shown.first = m_first + 1;
	shown.last = end;
	return shown;
}

top_view::part top_view::text_part(screen_size size)
{
	std::vector<std::string> all;
	if (m_page == page::help) {
		for (auto const line : top_help())
			all.push_back(cut_to_width(line, size.columns));
	} else {
		all = detail_lines(size.columns);
	}
	auto const room = text_rows(size);
	m_text_first = std::min(m_text_first, all.size() - std::min(all.size(), room));
	part shown;
	shown.count = all.size();
	shown.last = std::min(m_text_first + room, all.size());
	shown.first = std::min(m_text_first + 1, shown.last);
	for (auto i = m_text_first; i < shown.last; ++i)
		shown.lines.push_back(std::move(all[i]));
	return shown;
}

std::vector<std::string> top_view::detail_lines(std::size_t columns)
{
	auto const *torrent = find_torrent(m_selected);
	if (torrent == nullptr)
		return {};
	std::vector<std::string> all;
	for (auto const &line : lines_of(render_status_verbose({*torrent}, false))) {
		for (auto &piece : wrap_to_width(line, columns, facts_indent))
			all.push_back(paint(std::move(piece), colour_of_fact(line, *torrent), m_settings.use_colour));
	}
	auto tables = lines_of(render_device(m_stats, torrent->target, false));
	if (!tables.empty())
		tables.emplace_back();
	if (!m_peers || m_peers_of != m_selected) {
		tables.emplace_back("peers: asked for");
	} else if (!*m_peers) {
		tables.push_back("peers: " + printable(to_string(m_peers->failure())));
	} else {
		auto const torrents = (*m_peers)->find("torrents");
		auto const has_one = torrents != (*m_peers)->end() && torrents->is_array() && !torrents->empty();
		std::ranges::move(lines_of(render_peers_of(has_one ? torrents->front() : nlohmann::json(), false)),
			std::back_inserter(tables));
	}
	std::size_t widest = 0;
	for (auto const &line : tables)
		widest = std::max(widest, display_width(line));
	m_shift = std::min(m_shift, widest - std::min(widest, columns));
	all.emplace_back();
	for (auto const &line : tables)
		all.push_back(cut_to_width(shifted(line, m_shift), columns));
	return all;
}

std::string top_view::status_line(std::size_t columns) const
{
	auto const painted = [&](std::string const &text, std::string_view colour) {
		return paint(cut_to_width(text, columns), colour, m_settings.use_colour);
	};
	if (m_question) {
		auto const *asked_of = find_torrent(m_question->info_hash);
		auto const where = asked_of == nullptr ? std::string() : " (" + printable(asked_of->target) + ")";
		return painted(std::string(m_question->verb) + " " + m_question->name + where + "? y/n", "1;33");
	}
	if (m_is_searching && m_message.empty())
		return painted("/" + printable(m_search), "1");
	if (!m_message.empty())
		return painted(m_message, m_is_message_bad ? "31" : "");
	auto const *torrent = chosen();
	if (m_page == page::list && torrent != nullptr && torrent->failure)
		return painted(printable(torrent->name) + ": " + printable(to_string(*torrent->failure)), "31");
	return {};
}

} // namespace ezio::ctl
