#include "ctl/run.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace
{

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_signal(int)
{
	interrupted = true;
}

bool install_signals()
{
	struct sigaction action = {};
	action.sa_handler = on_signal; // no SA_RESTART: waits shall end
	struct sigaction ignore = {};
	ignore.sa_handler = SIG_IGN;
	return ::sigaction(SIGINT, &action, nullptr) == 0 && ::sigaction(SIGTERM, &action, nullptr) == 0 &&
		::sigaction(SIGPIPE, &ignore, nullptr) == 0;
}

std::string_view variable(char const *name)
{
	auto const *value = std::getenv(name);
	return value == nullptr ? std::string_view() : std::string_view(value);
}

} // namespace

int main(int argc, char **argv)
{
	if (!install_signals()) {
		std::cerr << "ezioctl: cannot install signal handlers\n";
		return static_cast<int>(ezio::wire::exit_status::failure);
	}
	ezio::ctl::environment env;
	if (auto const endpoint = variable("EZIO_ENDPOINT"); !endpoint.empty())
		env.endpoint = endpoint;
	if (auto const key = variable("EZIO_KEY"); !key.empty())
		env.key = key;
	if (auto const key = variable("EZIO_SERVER_KEY"); !key.empty())
		env.server_key = key;
	env.no_color = !variable("NO_COLOR").empty() || variable("TERM") == "dumb";

	ezio::ctl::console const io{
		&std::cout, &std::cerr, ::isatty(STDOUT_FILENO) == 1, ::isatty(STDERR_FILENO) == 1, &interrupted};
	return ezio::ctl::run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc), env, io);
}
