#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace ezio
{

inline constexpr char const *no_daemon = "ipc:///nonexistent/socket";

/// What came of a command line.
struct outcome {
	int status = -1;
	std::string out;
	std::string err;
};

/// Runs one line of ezioctl in this process, without a terminal. Unless it names one itself, the daemon is at
/// @p endpoint.
outcome run_line(std::vector<std::string> const &arguments,
	std::string const &endpoint = "ipc:///nonexistent/socket",
	std::atomic<bool> const *interrupted = nullptr);

} // namespace ezio
