#include "ctl/text_format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace ezio::ctl
{
namespace
{

template <class... Values>
std::string print(char const *format, Values... values)
{
	std::array<char, 64> buffer{};
	auto const written = std::snprintf(buffer.data(), buffer.size(), format, values...);
	return written > 0 ? std::string(buffer.data()) : std::string();
}

void pad(std::string &line, std::size_t columns)
{
	line.append(columns, ' ');
}

} // namespace

std::string format_bytes(std::uint64_t bytes)
{
	constexpr std::array<char const *, 7> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	auto value = static_cast<double>(bytes);
	std::size_t unit = 0;
	// 1023.95 would be printed as 1024.0 of the smaller unit.
	while (value >= 1023.95 && unit + 1 < units.size()) {
		value /= 1024;
		++unit;
	}
	return unit == 0 ? print("%.0f %s", value, units[unit]) : print("%.1f %s", value, units[unit]);
}

std::string format_rate(std::uint64_t bytes_per_second)
{
	return bytes_per_second == 0 ? "-" : format_bytes(bytes_per_second) + "/s";
}

std::string format_duration(std::uint64_t seconds)
{
	auto const part = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
	if (seconds < 60)
		return print("%llu s", part(seconds));
	if (seconds < 3600)
		return print("%llu min %02llu s", part(seconds / 60), part(seconds % 60));
	if (seconds < 86400)
		return print("%llu h %02llu min", part(seconds / 3600), part(seconds / 60 % 60));
	return print("%llu d %02llu h", part(seconds / 86400), part(seconds / 3600 % 24));
}

std::string format_time(std::uint64_t unix_ms)
{
	auto const seconds = static_cast<std::time_t>(unix_ms / 1000);
	std::tm local{};
	std::array<char, 32> buffer{};
	if (::localtime_r(&seconds, &local) == nullptr ||
		std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S", &local) == 0)
		return std::to_string(unix_ms) + " ms";
	return buffer.data();
}

std::string format_percent(double fraction)
{
	auto const bounded = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
	return print("%.1f %%", std::floor(bounded * 1000) / 10);
}

std::string printable(std::string_view text)
{
	std::string clean;
	clean.reserve(text.size());
	for (std::size_t i = 0; i < text.size(); ++i) {
		auto const byte = static_cast<unsigned char>(text[i]);
		auto const next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
		if (byte < 0x20 || byte == 0x7f) {
			clean += '?';
		} else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
			// The C1 controls, of which terminals obey some.
			clean += '?';
			++i;
		} else {
			clean += text[i];
		}
	}
	return clean;
}

std::string printable_lines(std::string_view text)
{
	std::string lines;
	while (!text.empty()) {
		auto const end = text.find('\n');
		lines += (lines.empty() ? "" : "\n  ") + printable(text.substr(0, end));
		text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
	}
	return lines;
}

std::size_t display_width(std::string_view text)
{
	return static_cast<std::size_t>(
		std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string format_table(
	std::vector<column_head> const &heads, std::vector<std::vector<cell>> const &rows, bool use_colour)
{
	std::vector<std::size_t> widths;
	widths.reserve(heads.size());
	for (std::size_t i = 0; i < heads.size(); ++i) {
		auto width = display_width(heads[i].title);
		for (auto const &row : rows)
			width = std::max(width, display_width(row[i].text));
		widths.push_back(width);
	}

	std::string table;
	auto const append = [&](std::vector<cell> const &row) {
		std::string line;
		std::size_t owed = 0; // spaces that only matter if something follows
		for (std::size_t i = 0; i < row.size(); ++i) {
			auto const spare = widths[i] - display_width(row[i].text);
			if (i > 0)
				owed += 2;
			if (heads[i].is_right_aligned)
				owed += spare;
			if (!row[i].text.empty()) {
				pad(line, owed);
				owed = 0;
				auto const is_coloured = use_colour && !row[i].colour.empty();
				if (is_coloured)
					line.append("\x1b[").append(row[i].colour).append("m");
				line += row[i].text;
				if (is_coloured)
					line += "\x1b[0m";
			}
			if (!heads[i].is_right_aligned)
				owed += spare;
		}
		table += line;
		table += '\n';
	};
	std::vector<cell> titles;
	titles.reserve(heads.size());
	for (auto const &head : heads)
		titles.push_back({head.title, "1"});
	append(titles);
	for (auto const &row : rows)
		append(row);
	return table;
}

} // namespace ezio::ctl
