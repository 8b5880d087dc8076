#include "ctl/screen.hpp"

#include <algorithm>

namespace ezio::ctl
{

namespace
{

/// To move the cursor takes up to eight bytes; fewer unchanged characters are cheaper sent again.
constexpr std::size_t gap_columns_max = 8;

/// A character as it is shown.
struct glyph {
	std::string_view text;
	std::string colour; ///< parameters of SGR, or empty

	friend bool operator==(glyph const &, glyph const &) = default;
};

/// A colour at the head of a text, "\x1b[32m"; its length, or 0.
std::size_t colour_length(std::string_view text)
{
	if (!text.starts_with("\x1b["))
		return 0;
	auto const end = text.find('m');
	return end == std::string_view::npos ? 0 : end + 1;
}

bool goes_on(char c)
{
	// Bytes that go on with a code point of UTF-8 take no column of their own.
	return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

bool is_ascii(std::string_view text)
{
	return std::ranges::none_of(text, [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
}

std::vector<glyph> glyphs_of(std::string_view line)
{
	std::vector<glyph> glyphs;
	std::string colour;
	for (std::size_t i = 0; i < line.size();) {
		if (auto const length = colour_length(line.substr(i)); length > 0) {
			auto const parameters = line.substr(i + 2, length - 3);
			colour = parameters == "0" ? std::string_view() : parameters;
			i += length;
			continue;
		}
		auto end = i + 1;
		while (end < line.size() && goes_on(line[end]))
			++end;
		glyphs.push_back({line.substr(i, end - i), colour});
		i = end;
	}
	return glyphs;
}

std::string move_to(std::size_t row, std::size_t column)
{
	return "\x1b[" + std::to_string(row + 1) + ";" + std::to_string(column + 1) + "H";
}

void append(std::string &bytes, std::vector<glyph> const &glyphs, std::size_t begin, std::size_t end)
{
	std::string_view colour;
	for (auto i = begin; i < end; ++i) {
		if (glyphs[i].colour != colour) {
			if (!colour.empty())
				bytes += "\x1b[0m";
			colour = glyphs[i].colour;
			if (!colour.empty())
				bytes.append("\x1b[").append(colour).append("m");
		}
		bytes += glyphs[i].text;
	}
	if (!colour.empty())
		bytes += "\x1b[0m";
}

/// Turns one shown line into another.
std::string change_line(std::string_view from, std::string_view to, std::size_t row)
{
	auto const after = glyphs_of(to);
	std::string bytes;
	// How many columns other characters take, terminals do not agree on.
	if (!is_ascii(from) || !is_ascii(to)) {
		bytes = move_to(row, 0);
		append(bytes, after, 0, after.size());
		return bytes + "\x1b[K";
	}
	auto const before = glyphs_of(from);
	auto const is_same = [&](std::size_t i) { return i < before.size() && before[i] == after[i]; };
	std::size_t sent = after.size() + 1; // the column behind the last run
	for (std::size_t i = 0; i < after.size();) {
		if (is_same(i)) {
			++i;
			continue;
		}
		auto end = i + 1;
		for (auto next = end; next < after.size() && next - end <= gap_columns_max; ++next) {
			if (!is_same(next))
				end = next + 1;
		}
		bytes += move_to(row, i);
		append(bytes, after, i, end);
		sent = end;
		i = end;
	}
	if (before.size() > after.size()) {
		if (sent != after.size())
			bytes += move_to(row, after.size());
		bytes += "\x1b[K";
	}
	return bytes;
}

} // namespace

std::string screen::show(std::vector<std::string> const &lines, screen_size size)
{
	std::string bytes;
	if (size != m_size) {
		// A terminal that was resized shows who knows what.
		bytes = "\x1b[H\x1b[2J";
		m_shown.clear();
		m_size = size;
	}
	m_shown.resize(size.rows);
	for (std::size_t row = 0; row < size.rows; ++row) {
		auto const &line = row < lines.size() ? lines[row] : std::string();
		if (line == m_shown[row])
			continue;
		bytes += change_line(m_shown[row], line, row);
		m_shown[row] = line;
	}
	return bytes;
}

std::string cut_to_width(std::string_view text, std::size_t columns)
{
	std::size_t width = 0;
	bool is_coloured = false;
	for (std::size_t i = 0; i < text.size();) {
		if (auto const length = colour_length(text.substr(i)); length > 0) {
			is_coloured = text.substr(i, length) != "\x1b[0m";
			i += length;
			continue;
		}
		if (!goes_on(text[i]) && ++width > columns)
			return std::string(text.substr(0, i)) + (is_coloured ? "\x1b[0m" : "");
		++i;
	}
	return std::string(text);
}

std::vector<std::string> wrap_to_width(std::string_view text, std::size_t columns, std::size_t indent)
{
	std::vector<std::string> lines;
	std::string head;
	for (;;) {
		auto const room = std::max<std::size_t>(1, columns - std::min(columns, head.size()));
		auto const fitting = cut_to_width(text, room).size();
		if (fitting == text.size()) {
			lines.push_back(head + std::string(text));
			return lines;
		}
		// A space right behind what fits counts, too; one that only indents does not.
		auto const space = text.substr(0, fitting + 1).rfind(' ');
		auto const first_word = text.find_first_not_of(' ');
		auto const is_word_end = space != std::string_view::npos && space > first_word;
		auto const length = is_word_end ? space : fitting;
		lines.push_back(head + std::string(text.substr(0, length)));
		text.remove_prefix(is_word_end ? length + 1 : length);
		head = std::string(std::min(indent, columns / 2), ' ');
	}
}

} // namespace ezio::ctl
