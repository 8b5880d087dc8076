#include "ctl/terminal.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace ezio::ctl
{

namespace
{

// A screen of its own, no cursor, and characters beyond the last column fall off instead of wrapping.
constexpr std::string_view enter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view leave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

// Set by signal handlers, read by the thread that uses the terminal.
std::atomic<bool> is_stop_asked{false};
std::atomic<bool> is_continued{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_stop(int)
{
	is_stop_asked = true;
}

extern "C" void on_continue(int)
{
	is_continued = true;
}

/// SIGTTOU ends the call where this process is in the background and is brought back.
bool set_mode(::termios const &mode)
{
	int done = 0;
	do
		done = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode);
	while (done != 0 && errno == EINTR);
	return done == 0;
}

bool write_all(std::string_view bytes)
{
	while (!bytes.empty()) {
		auto const written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
		if (written < 0 && errno == EAGAIN) {
			::pollfd item{STDOUT_FILENO, POLLOUT, 0};
			if (::poll(&item, 1, -1) < 0 && errno != EINTR)
				return false;
		} else if (written < 0 && errno != EINTR) {
			return false;
		} else if (written > 0) {
			bytes.remove_prefix(static_cast<std::size_t>(written));
		}
	}
	return true;
}

} // namespace

struct terminal::state {
	::termios before{};
	::termios raw{};
	struct ::sigaction stop_before = {};
	struct ::sigaction continue_before = {};

	state(::termios const &mode) : before(mode), raw(mode)
	{
		raw.c_lflag &= ~static_cast<::tcflag_t>(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		// Nobody wants a core of a viewer, and it would leave the terminal as it is.
		raw.c_cc[VQUIT] = _POSIX_VDISABLE;
		struct ::sigaction action = {};
		action.sa_handler = on_stop; // no SA_RESTART: waits shall end
		static_cast<void>(::sigaction(SIGTSTP, &action, &stop_before));
		action.sa_handler = on_continue;
		static_cast<void>(::sigaction(SIGCONT, &action, &continue_before));
	}

	~state()
	{
		give_back();
		static_cast<void>(::sigaction(SIGTSTP, &stop_before, nullptr));
		static_cast<void>(::sigaction(SIGCONT, &continue_before, nullptr));
	}

	bool take() const { return set_mode(raw) && write_all(enter); }

	void give_back() const
	{
		// There is nobody to tell if it fails: the terminal is what would show it.
		static_cast<void>(write_all(leave));
		static_cast<void>(set_mode(before));
	}
};

terminal::terminal(std::unique_ptr<state> s) : m_state(std::move(s)) {}
terminal::terminal(terminal &&) noexcept = default;
terminal &terminal::operator=(terminal &&) noexcept = default;
terminal::~terminal() = default;

result<terminal> terminal::open()
{
	::termios before{};
	if (::isatty(STDOUT_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &before) != 0)
		return make_error(errc::invalid_argument, "standard input and output must be a terminal");
	terminal opened(std::make_unique<state>(before));
	if (!opened.m_state->take()) {
		auto e = make_error(errc::internal, "the terminal cannot be used as a full screen");
		e.os_errno = errno;
		return e;
	}
	return result<terminal>(std::move(opened));
}

bool terminal::stop_if_asked() const
{
	if (!is_stop_asked && !is_continued)
		return false;
	if (is_stop_asked) {
		is_stop_asked = false;
		m_state->give_back();
		struct ::sigaction ours = {};
		static_cast<void>(::sigaction(SIGTSTP, &m_state->stop_before, &ours));
		// Returns when this process is continued; at once where no shell would ever do that.
		static_cast<void>(::raise(SIGTSTP));
		static_cast<void>(::sigaction(SIGTSTP, &ours, nullptr));
	}
	is_continued = false;
	// Where it fails, the next write tells.
	static_cast<void>(m_state->take());
	return true;
}

screen_size terminal::size() const
{
	::winsize window{};
	// A serial console knows no size.
	if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
		return {};
	return {window.ws_col, window.ws_row};
}

int terminal::input() const
{
	return STDIN_FILENO;
}

bool terminal::read(std::string &typed) const
{
	::pollfd item{STDIN_FILENO, POLLIN, 0};
	if (::poll(&item, 1, 0) <= 0)
		return true;
	std::array<char, 256> bytes{};
	auto const count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
	if (count < 0)
		return errno == EINTR || errno == EAGAIN;
	typed.append(bytes.data(), static_cast<std::size_t>(count));
	return count > 0;
}

bool terminal::write(std::string_view bytes) const
{
	return write_all(bytes);
}

} // namespace ezio::ctl
