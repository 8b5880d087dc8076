#include "ctl/full_screen.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ezio::ctl
{

namespace
{

/// The bytes of a cursor key come together, but for slow lines and networks.
constexpr std::chrono::milliseconds escape_time{200};

} // namespace

result<full_screen> full_screen::open()
{
	auto opened = terminal::open();
	if (!opened)
		return opened.failure();
	return result<full_screen>(full_screen(std::move(*opened)));
}

std::optional<std::vector<key_press>> full_screen::keys()
{
	auto const known = m_typed.size();
	if (!m_terminal.read(m_typed))
		return std::nullopt;
	auto const has_grown = m_typed.size() > known;
	auto keys = take_keys(m_typed, !has_grown && clock::now() >= m_escape_end);
	if (m_typed.empty())
		m_escape_end = clock::time_point::max();
	else if (has_grown)
		m_escape_end = clock::now() + escape_time;
	if (std::ranges::find(keys, key::redraw, &key_press::what) != keys.end())
		m_screen.forget();
	return keys;
}

bool full_screen::must_redraw()
{
	auto const has_stopped = m_terminal.stop_if_asked();
	if (has_stopped)
		m_screen.forget();
	return has_stopped || m_terminal.size() != m_size;
}

bool full_screen::show(std::vector<std::string> const &lines)
{
	m_size = m_terminal.size();
	return m_terminal.write(m_screen.show(lines, m_size));
}

} // namespace ezio::ctl
