#pragma once

#include "actors/core/result.hpp"
#include "actors/core/unique_fd.hpp"

namespace ezio
{

/// What woke the main thread.
enum class wake_reason : std::uint8_t {
	stop,    ///< SIGTERM or SIGINT
	reload,  ///< SIGHUP
	notified ///< notify() was called
};

/// The signals of the process, read in order by one thread.
class signals
{
public:
	/// Blocks SIGTERM, SIGINT and SIGHUP for the calling thread and those it starts later, and ignores
	/// SIGPIPE. Call it before any thread is started.
	static result<signals> take();

	/// Waits for the next signal or notification. Called by one thread.
	result<wake_reason> wait();
	/// Wakes wait(); from any thread; notifications that nobody has seen yet count as one.
	void notify() const;

private:
	signals(unique_fd signal_fd, unique_fd event_fd);
	unique_fd m_signal_fd;
	unique_fd m_event_fd;
};

} // namespace ezio
