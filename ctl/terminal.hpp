#pragma once

#include "actors/core/result.hpp"
#include "ctl/screen.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace ezio::ctl
{

/// The terminal of this process as a full screen, until it is destroyed: keys come one by one and unseen, and
/// afterwards the terminal shows again what it showed before. One at a time; used by one thread.
class terminal
{
public:
	/// errc::invalid_argument if standard input or output is none.
	static result<terminal> open();
	terminal(terminal &&) noexcept;
	terminal &operator=(terminal &&) noexcept;
	~terminal();

	screen_size size() const;
	/// If a signal has asked for it (SIGTSTP, Ctrl-Z), shows what was there before and stops this process.
	/// True if it has been stopped, by that or by another signal, and now goes on with an empty screen.
	bool stop_if_asked() const;
	/// Readable when keys were typed.
	int input() const;
	/// Adds what was typed; false when there is no input any more.
	bool read(std::string &typed) const;
	/// False if it cannot be written to any more.
	bool write(std::string_view bytes) const;

private:
	struct state;
	explicit terminal(std::unique_ptr<state> s);
	std::unique_ptr<state> m_state;
};

} // namespace ezio::ctl
