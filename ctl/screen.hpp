#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

struct screen_size {
	std::size_t columns = 80;
	std::size_t rows = 24;

	friend bool operator==(screen_size const &, screen_size const &) = default;
};

/// What makes a terminal show lines: only the characters that have changed since the last time, so that
/// nothing flickers and a slow serial line keeps up. Lines hold no control characters but colours. Pure.
class screen
{
public:
	/// The bytes that turn what is shown into @p lines; those beyond the last row are left out.
	std::string show(std::vector<std::string> const &lines, screen_size size);
	/// The terminal shows who knows what: the next show() sends everything.
	void forget() { m_size = {0, 0}; }

private:
	std::vector<std::string> m_shown;
	screen_size m_size{0, 0};
};

/// The first @p columns of a text, which may have colours.
std::string cut_to_width(std::string_view text, std::size_t columns);
/// The text in lines of at most @p columns, broken at spaces where that goes; those after the first are
/// indented. No colours, and at least one line.
std::vector<std::string> wrap_to_width(std::string_view text, std::size_t columns, std::size_t indent);

} // namespace ezio::ctl
