#pragma once

#include "actors/core/result.hpp"
#include "ctl/keys.hpp"
#include "ctl/probe.hpp"
#include "ctl/screen.hpp"
#include "ctl/terminal.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ezio::ctl
{

/// What the live views have in common: the terminal as a full screen that shows lines and tells keys. One at
/// a time; used by one thread.
class full_screen
{
public:
	/// errc::invalid_argument if standard input or output is no terminal.
	static result<full_screen> open();

	/// Readable when keys were typed.
	int input() const { return m_terminal.input(); }
	screen_size size() const { return m_terminal.size(); }
	/// When keys() has something to tell although nothing more was typed; else max().
	clock::time_point due() const { return m_escape_end; }
	/// The keys typed; nothing: there is no input any more.
	std::optional<std::vector<key_press>> keys();
	/// What is shown is not what was drawn last: another size, or the process was stopped (Ctrl-Z stops it
	/// here) and goes on.
	bool must_redraw();
	/// False if the terminal cannot be written to any more.
	bool show(std::vector<std::string> const &lines);

private:
	explicit full_screen(terminal t) : m_terminal(std::move(t)) {}

	terminal m_terminal;
	screen m_screen;
	std::string m_typed;
	clock::time_point m_escape_end =
		clock::time_point::max(); ///< then what began with an escape is no sequence
	screen_size m_size{0, 0};     ///< shown last
};

} // namespace ezio::ctl
