#include "ctl/terminal.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace ezio::ctl
{

namespace
{

constexpr std::string_view enter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view leave = "\x1b[?25h\x1b[?1049l";

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

	~state()
	{
		// There is nobody to tell if it fails: the terminal is what would show it.
		static_cast<void>(write_all(leave));
		static_cast<void>(::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before));
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
	auto raw = before;
	raw.c_lflag &= ~static_cast<::tcflag_t>(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0) {
		auto e = make_error(errc::internal, "the terminal's mode cannot be changed");
		e.operation = "tcsetattr";
		e.os_errno = errno;
		return e;
	}
	auto s = std::make_unique<state>();
	s->before = before;
	terminal opened(std::move(s));
	if (!opened.write(enter))
		return make_error(errc::internal, "the terminal cannot be written to");
	return result<terminal>(std::move(opened));
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
