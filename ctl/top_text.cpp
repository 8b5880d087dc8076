#include "ctl/top_text.hpp"

#include <array>
#include <cmath>

namespace ezio::ctl
{

namespace
{

/// What happens, and the keys.
constexpr std::size_t footer_lines = 2;
/// Which daemon, counts, rates, cache, bottleneck, titles.
constexpr std::size_t header_lines_max = 6;
constexpr std::size_t header_lines_small = 4; ///< without cache and bottleneck
constexpr std::size_t header_lines_tiny = 2;

constexpr auto help = std::to_array<std::string_view>({
	"j k  up down       next, previous torrent; in a page of text: scroll",
	"space b  PgDn PgUp a page on, back",
	"g G  Home End      to the first, the last",
	"Enter              all of one torrent: state, error, device, peers",
	"left right         in there: shift tables that are wider than the screen",
	"q  Esc             back; in the list: quit",
	"",
	"s >  <             next, previous sort key: name, path, progress, speed, down,",
	"                   up, peers, size, eta, state, added",
	"r                  turn the order round",
	"f                  next filter: all, active, downloading, seeding, finished,",
	"                   checking, paused, error",
	"/                  search in name, target, info-hash; Enter ends, Esc forgets",
	"n                  next match",
	"v                  a second line for each torrent, with what did not fit",
	"+ -                ask less, more often",
	"p                  pause or resume the selected torrent, after y",
	"Ctrl-L             draw everything again",
	"h ?                this help",
});

std::size_t less(std::size_t rows, std::size_t used)
{
	return rows > used ? rows - used : 0;
}

} // namespace

std::size_t list_header_lines(screen_size size)
{
	if (size.rows >= 18)
		return header_lines_max;
	return size.rows >= 10 ? header_lines_small : header_lines_tiny;
}

std::size_t list_rows(screen_size size)
{
	return less(size.rows, list_header_lines(size) + footer_lines);
}

std::size_t text_rows(screen_size size)
{
	return less(size.rows, 1 + footer_lines);
}

std::string every(double seconds)
{
	auto const tenths = std::llround(seconds * 10);
	auto const fraction = tenths % 10 == 0 ? std::string() : "." + std::to_string(tenths % 10);
	return "every " + std::to_string(tenths / 10) + fraction + " s";
}

std::span<std::string_view const> top_help()
{
	return help;
}

} // namespace ezio::ctl
