#include "ctl/keys.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace ezio::ctl
{

namespace
{

struct sequence_key {
	std::string_view text; ///< behind the escape
	key what;
};
constexpr auto sequences = std::to_array<sequence_key>({
	{"[A", key::up},
	{"OA", key::up},
	{"[B", key::down},
	{"OB", key::down},
	{"[C", key::right},
	{"OC", key::right},
	{"[D", key::left},
	{"OD", key::left},
	{"[5~", key::page_up},
	{"[6~", key::page_down},
	{"[H", key::home},
	{"[1~", key::home},
	{"[7~", key::home},
	{"OH", key::home},
	{"[F", key::end},
	{"[4~", key::end},
	{"[8~", key::end},
	{"OF", key::end},
	{"OM", key::enter},
});

struct letter_key {
	char letter;
	key what;
};
constexpr auto letters = std::to_array<letter_key>({
	{'k', key::up},
	{'j', key::down},
	{'b', key::page_up},
	{' ', key::page_down},
	{'g', key::home},
	{'G', key::end},
});

/// Longer than any key's: what does not end by then is no sequence, and must not grow.
constexpr std::size_t sequence_bytes_max = 16;

bool is_within(char c, char least, char most)
{
	return c >= least && c <= most;
}

/// Of what follows an escape; 0: more must come.
std::size_t sequence_length(std::string_view text)
{
	if (text.empty())
		return 0;
	if (text[0] == 'O')
		return text.size() < 2 ? 0 : 2;
	if (text[0] != '[')
		return 0;
	// The function keys of the Linux console: ESC [ [ A.
	if (text.size() > 1 && text[1] == '[')
		return text.size() < 3 ? 0 : 3;
	for (std::size_t i = 1; i < text.size(); ++i) {
		if (is_within(text[i], '@', '~'))
			return i + 1;
		if (!is_within(text[i], ' ', '?') || i + 1 == sequence_bytes_max)
			return i;
	}
	return 0;
}

key_press press_of(char c)
{
	switch (c) {
	case '\r':
	case '\n':
		return {key::enter};
	case '\b':
	case '\x7f':
		return {key::erase};
	case '\f':
		return {key::redraw};
	default:
		// Bytes of UTF-8 beyond ASCII are negative where char is signed.
		return is_within(c, '\x01', '\x1f') || c == '\0' ? key_press{key::other}
														 : key_press{key::character, c};
	}
}

} // namespace

std::vector<key_press> take_keys(std::string &typed, bool is_all)
{
	std::vector<key_press> keys;
	std::string_view left = typed;
	while (!left.empty()) {
		if (left[0] != '\x1b') {
			keys.push_back(press_of(left[0]));
			left.remove_prefix(1);
			continue;
		}
		auto const behind = left.substr(1);
		auto const is_sequence = !behind.empty() && (behind[0] == '[' || behind[0] == 'O');
		if (!is_sequence && (is_all || !behind.empty())) {
			keys.push_back({key::escape});
			left = behind;
			continue;
		}
		auto const length = sequence_length(behind);
		if (length == 0 && !is_all)
			break;
		auto const found = std::ranges::find(sequences, behind.substr(0, length), &sequence_key::text);
		keys.push_back({found == sequences.end() ? key::other : found->what});
		left = length == 0 ? std::string_view() : behind.substr(length);
	}
	typed = std::string(left);
	return keys;
}

key movement_of(key_press press)
{
	switch (press.what) {
	case key::up:
	case key::down:
	case key::page_up:
	case key::page_down:
	case key::home:
	case key::end:
		return press.what;
	case key::character: {
		auto const found = std::ranges::find(letters, press.character, &letter_key::letter);
		return found == letters.end() ? key::other : found->what;
	}
	case key::other:
	case key::left:
	case key::right:
	case key::enter:
	case key::escape:
	case key::erase:
	case key::redraw:
		return key::other;
	}
	return key::other;
}

std::size_t scrolled(std::size_t row, key movement, std::size_t page, std::size_t last)
{
	auto const back = [row](std::size_t rows) { return row - std::min(row, rows); };
	switch (movement) {
	case key::up:
		return back(1);
	case key::down:
		return std::min(row + 1, last);
	case key::page_up:
		return back(page);
	case key::page_down:
		return std::min(row + page, last);
	case key::home:
		return 0;
	case key::end:
		return last;
	case key::other:
	case key::character:
	case key::left:
	case key::right:
	case key::enter:
	case key::escape:
	case key::erase:
	case key::redraw:
		return row;
	}
	return row;
}

} // namespace ezio::ctl
