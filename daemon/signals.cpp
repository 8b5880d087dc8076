#include "daemon/signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>

namespace ezio
{

namespace
{

error signal_error(char const *operation, int os_errno)
{
	return make_system_error(operation, {}, os_errno, "signals");
}

} // namespace

signals::signals(unique_fd signal_fd, unique_fd event_fd)
	: m_signal_fd(std::move(signal_fd)), m_event_fd(std::move(event_fd))
{
}

result<signals> signals::take()
{
	sigset_t set;
	sigemptyset(&set);
	for (auto const number : {SIGTERM, SIGINT, SIGHUP})
		sigaddset(&set, number);
	auto const blocked = pthread_sigmask(SIG_BLOCK, &set, nullptr);
	if (blocked != 0)
		return signal_error("pthread_sigmask", blocked);
	struct sigaction ignore = {};
	ignore.sa_handler = SIG_IGN;
	// Beyond the file size limit of the process a write shall say EFBIG, for one torrent, rather than kill.
	for (auto const number : {SIGPIPE, SIGXFSZ}) {
		if (sigaction(number, &ignore, nullptr) != 0)
			return signal_error("sigaction", errno);
	}
	unique_fd signal_fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	if (!signal_fd)
		return signal_error("signalfd", errno);
	unique_fd event_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (!event_fd)
		return signal_error("eventfd", errno);
	return signals(std::move(signal_fd), std::move(event_fd));
}

result<wake_reason> signals::wait()
{
	for (;;) {
		std::array<pollfd, 2> fds{{{m_signal_fd.number(), POLLIN, 0}, {m_event_fd.number(), POLLIN, 0}}};
		if (poll(fds.data(), fds.size(), -1) < 0) {
			if (errno == EINTR)
				continue;
			return signal_error("poll", errno);
		}
		signalfd_siginfo info = {};
		auto const got = read(m_signal_fd.number(), &info, sizeof info);
		if (got == static_cast<ssize_t>(sizeof info))
			return info.ssi_signo == SIGHUP ? wake_reason::reload : wake_reason::stop;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return signal_error("read", errno);
		std::uint64_t count = 0;
		if (read(m_event_fd.number(), &count, sizeof count) == static_cast<ssize_t>(sizeof count))
			return wake_reason::notified;
		if (errno != EAGAIN && errno != EINTR)
			return signal_error("read", errno);
	}
}

void signals::notify() const
{
	std::uint64_t const one = 1;
	// EAGAIN means that the counter is full: a notification is pending anyway.
	while (write(m_event_fd.number(), &one, sizeof one) < 0 && errno == EINTR) {
	}
}

} // namespace ezio
