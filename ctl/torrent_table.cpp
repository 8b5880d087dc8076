#include "ctl/torrent_table.hpp"

#include "ctl/screen.hpp"

#include <algorithm>
#include <array>

namespace ezio::ctl
{

namespace
{

constexpr auto columns_usual = std::to_array<std::string_view>(
	{"name", "target", "state", "progress", "done", "down", "up", "peers", "eta"});
constexpr auto columns_verbose = std::to_array<std::string_view>({"name", "target", "state", "progress",
	"done", "down", "up", "peers", "seeds", "pieces", "eta", "added", "hash"});
/// The least important first; the name always stays.
constexpr auto drop_order = std::to_array<std::string_view>({"added", "hash", "pieces", "seeds", "done",
	"peers", "up", "target", "eta", "down", "progress", "state"});

constexpr std::size_t mark_columns = 2;
constexpr std::size_t gap_columns = 2;
/// Names are not cut below that, columns are left out instead.
constexpr std::size_t name_columns_min = 12;
/// An error that is shorter says nothing.
constexpr std::size_t error_columns_min = 16;

bool is_flexible(std::string_view column)
{
	return column == "name" || column == "target";
}

/// Of a path the end tells more.
std::string shorten(std::string const &text, std::size_t columns, bool keep_end)
{
	auto const width = display_width(text);
	if (width <= columns)
		return text;
	if (columns == 0)
		return {};
	if (!keep_end)
		return cut_to_width(text, columns - 1) + "~";
	auto const head = cut_to_width(text, width - columns + 1).size();
	return "~" + text.substr(head);
}

std::string coloured(std::string const &text, std::string_view colour)
{
	return colour.empty() ? text : "\x1b[" + std::string(colour) + "m" + text + "\x1b[0m";
}

} // namespace

std::size_t torrent_table::width_of(std::string_view column) const
{
	auto const found = m_widths.find(column);
	return found == m_widths.end() ? find_status_column(column)->title.size() : found->second;
}

void torrent_table::measure(std::vector<torrent_view> const &torrents)
{
	for (auto const &column : status_columns()) {
		auto &width = m_widths[column.name];
		width = std::max(width, column.title.size());
		for (auto const &t : torrents)
			width = std::max(width, display_width(column.make(t).text));
	}
	m_has_error =
		m_has_error || std::ranges::any_of(torrents, [](auto const &t) { return t.failure.has_value(); });
}

void torrent_table::fit(std::size_t columns, bool is_verbose)
{
	m_columns = columns;
	m_slots.clear();
	m_rest.clear();
	std::vector<std::string_view> chosen(columns_usual.begin(), columns_usual.end());
	if (is_verbose)
		chosen.assign(columns_verbose.begin(), columns_verbose.end());
	auto const least_width = [this](std::string_view name) {
		auto const width = width_of(name);
		return is_flexible(name) ? std::min(width, name_columns_min) : width;
	};
	auto used = mark_columns;
	for (auto const name : chosen)
		used += least_width(name) + gap_columns;
	used -= gap_columns;
	for (auto const name : drop_order) {
		if (used <= columns)
			break;
		if (std::erase(chosen, name) == 0)
			continue;
		used -= least_width(name) + gap_columns;
		m_rest.insert(m_rest.begin(), find_status_column(name));
	}
	auto spare = columns - std::min(columns, used);
	for (auto const name : chosen) {
		auto width = least_width(name);
		auto const more = std::min(spare, width_of(name) - width);
		width += more;
		spare -= more;
		m_slots.push_back({find_status_column(name), width});
	}
	auto const *error_column = find_status_column("error");
	if (m_has_error && spare >= gap_columns + error_columns_min)
		m_slots.push_back({error_column, spare - gap_columns});
	else if (m_has_error)
		m_rest.insert(m_rest.begin(), error_column);
}

std::string torrent_table::titles() const
{
	std::string line(mark_columns, ' ');
	for (auto const &[column, width] : m_slots) {
		std::string const gap(line.size() > mark_columns ? gap_columns : 0, ' ');
		std::string title(cut_to_width(column->title, width));
		std::string const pad(width - title.size(), ' ');
		line += gap + (column->is_right_aligned ? pad + title : title + pad);
	}
	return cut_to_width(line, m_columns);
}

std::string torrent_table::row(torrent_view const &torrent, bool is_selected, bool use_colour) const
{
	// Colours within the bar of the selected row could not be read.
	auto const has_colours = use_colour && !is_selected;
	std::string line(is_selected ? "> " : "  ");
	bool is_first = true;
	for (auto const &[column, width] : m_slots) {
		auto const made = column->make(torrent);
		auto const text = shorten(made.text, width, column->name == "target");
		std::string const pad(width - std::min(width, display_width(text)), ' ');
		auto const shown = has_colours ? coloured(text, made.colour) : text;
		line += std::string(is_first ? 0 : gap_columns, ' ') +
			(column->is_right_aligned ? pad + shown : shown + pad);
		is_first = false;
	}
	line = cut_to_width(line, m_columns);
	if (!is_selected || !use_colour)
		return line;
	line.append(m_columns - std::min(m_columns, display_width(line)), ' ');
	return "\x1b[7m" + line + "\x1b[0m";
}

std::string torrent_table::rest(torrent_view const &torrent, bool use_colour) const
{
	std::string line;
	for (auto const *column : m_rest) {
		auto const made = column->make(torrent);
		if (made.text.empty())
			continue;
		line += (line.empty() ? "    " : "  ") + std::string(column->name) + " " +
			(use_colour ? coloured(made.text, made.colour) : made.text);
	}
	return cut_to_width(line, m_columns);
}

} // namespace ezio::ctl
