#include "ctl/screen.hpp"

#include <algorithm>
#include <array>

namespace ezio::ctl
{

namespace
{

struct key_text {
	std::string_view text;
	key what;
};
constexpr auto key_texts = std::to_array<key_text>({
	{"\x1b[A", key::up},
	{"\x1bOA", key::up},
	{"k", key::up},
	{"\x1b[B", key::down},
	{"\x1bOB", key::down},
	{"j", key::down},
	{"\x1b[5~", key::page_up},
	{"b", key::page_up},
	{"\x1b[6~", key::page_down},
	{" ", key::page_down},
	{"\x1b[H", key::home},
	{"\x1b[1~", key::home},
	{"\x1bOH", key::home},
	{"g", key::home},
	{"\x1b[F", key::end},
	{"\x1b[4~", key::end},
	{"\x1bOF", key::end},
	{"G", key::end},
	{"q", key::quit},
	{"d", key::done},
});

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
		m_shown[row] = line;
		bytes += "\x1b[" + std::to_string(row + 1) + ";1H" + line + "\x1b[K";
	}
	return bytes;
}

std::string cut_to_width(std::string_view text, std::size_t columns)
{
	std::size_t width = 0;
	for (std::size_t i = 0; i < text.size(); ++i) {
		// Bytes that go on with a code point of UTF-8 take no column of their own.
		auto const goes_on = (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
		if (!goes_on && ++width > columns)
			return std::string(text.substr(0, i));
	}
	return std::string(text);
}

std::vector<key> take_keys(std::string &typed)
{
	std::vector<key> keys;
	std::string_view left = typed;
	while (!left.empty()) {
		auto const found =
			std::ranges::find_if(key_texts, [&](key_text const &k) { return left.starts_with(k.text); });
		if (found != key_texts.end()) {
			keys.push_back(found->what);
			left.remove_prefix(found->text.size());
			continue;
		}
		auto const may_follow =
			std::ranges::any_of(key_texts, [&](key_text const &k) { return k.text.starts_with(left); });
		if (may_follow)
			break;
		keys.push_back(key::other);
		left.remove_prefix(1);
	}
	typed = std::string(left);
	return keys;
}

} // namespace ezio::ctl
