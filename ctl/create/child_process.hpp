#pragma once

#include "actors/core/result.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace ezio
{

struct child_outcome {
	int exit_status = 0; ///< 128 + signal if a signal ended it
	std::string output;  ///< the last 64 KiB of stdout and stderr together
};

/// The full path of a program in PATH, /usr/sbin or /sbin; empty if there is none.
std::string find_program(std::string const &name);

/// Runs a program without a shell, with an empty stdin and LC_ALL=C, and waits for it. When @p interrupted
/// becomes true the child gets SIGTERM and the result is errc::interrupted.
result<child_outcome> run_child(
	std::vector<std::string> const &arguments, std::atomic<bool> const &interrupted);

} // namespace ezio
