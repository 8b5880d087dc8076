#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

/// "1.5 GiB": three or four digits, binary units.
std::string format_bytes(std::uint64_t bytes);
/// "12.3 MiB/s"; "-" for nothing.
std::string format_rate(std::uint64_t bytes_per_second);
/// "3 h 05 min", "42 s".
std::string format_duration(std::uint64_t seconds);
/// "2026-01-31 12:00:00" in local time.
std::string format_time(std::uint64_t unix_ms);
/// "42.1 %": never "100.0 %" before all is done.
std::string format_percent(double fraction);
/// Names come from torrents, which come from anywhere: control characters become '?', so that none reaches
/// the terminal. Newlines too.
std::string printable(std::string_view text);
/// The same, but lines stay lines, each after the first indented: a message may list several faults.
std::string printable_lines(std::string_view text);
/// Columns that UTF-8 text takes, one a code point.
std::size_t display_width(std::string_view text);

/// A cell of a table; colour is an SGR code such as "32", or empty.
struct cell {
	std::string text;
	std::string_view colour = {};
};
struct column_head {
	std::string title;
	bool is_right_aligned = false;
};
/// A line of titles and one line a row, columns two spaces apart, without trailing spaces. Rows have as many
/// cells as there are heads.
std::string format_table(
	std::vector<column_head> const &heads, std::vector<std::vector<cell>> const &rows, bool use_colour);

} // namespace ezio::ctl
