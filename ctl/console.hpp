#pragma once

#include "ctl/curve.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>

namespace ezio::ctl
{

/// Where a command writes, and what may end it early. The streams outlive it.
struct console {
	std::ostream *out = nullptr;
	std::ostream *err = nullptr;
	bool is_out_terminal = false;
	bool is_err_terminal = false;
	std::atomic<bool> const *interrupted = nullptr; ///< set by a signal handler
};

/// The global options, with the environment and the defaults behind them.
struct global_settings {
	daemon_endpoint endpoint;
	std::optional<std::chrono::duration<double>> timeout;
	bool is_json = false;
	bool use_colour = false; ///< on standard output
};

} // namespace ezio::ctl
