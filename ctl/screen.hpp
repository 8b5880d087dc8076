#pragma once

#include <cstddef>
#include <cstdint>
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

/// What makes a terminal show lines: only those that have changed since the last time, so that nothing
/// flickers and a slow serial line keeps up. Lines hold no control characters but colours. Pure.
class screen
{
public:
	/// The bytes that turn what is shown into @p lines; those beyond the last row are left out.
	std::string show(std::vector<std::string> const &lines, screen_size size);

private:
	std::vector<std::string> m_shown;
	screen_size m_size{0, 0};
};

/// The first @p columns of a text without colours.
std::string cut_to_width(std::string_view text, std::size_t columns);

enum class key : std::uint8_t { other, up, down, page_up, page_down, home, end, quit, done };
/// What was typed: k and j, u and d... as docs/cli.md lists them, and the usual sequences of cursor keys. A
/// sequence that is not complete stays in @p typed.
std::vector<key> take_keys(std::string &typed);

} // namespace ezio::ctl
