#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ezio::ctl
{

enum class key : std::uint8_t {
	other, ///< one that means nothing to us; sequences count as one key
	character,
	up,
	down,
	left,
	right,
	page_up,
	page_down,
	home,
	end,
	enter,
	escape,
	erase,
	redraw ///< Ctrl-L, as everywhere
};

struct key_press {
	key what = key::other;
	char character = 0; ///< of key::character: one byte, so that UTF-8 comes as several

	friend bool operator==(key_press const &, key_press const &) = default;
};

/// What was typed, with the usual sequences of cursor keys. A sequence that is not complete stays in
/// @p typed, also a lone escape: only time tells that nothing follows, which is what @p is_all says. Pure.
std::vector<key_press> take_keys(std::string &typed, bool is_all = false);

/// Where a key scrolls to: j, k, b, space, g and G do it like cursor keys. key::other: nowhere.
key movement_of(key_press press);
/// The row at the top, or the one selected, after such a movement; never above @p last.
std::size_t scrolled(std::size_t row, key movement, std::size_t page, std::size_t last);

} // namespace ezio::ctl
