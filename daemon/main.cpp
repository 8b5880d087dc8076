#include "actors/bt/bt_session.hpp"
#include "config/load.hpp"
#include "daemon/curve_access.hpp"
#include "daemon/eziod.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/options.hpp"
#include "daemon/service_notify.hpp"
#include "daemon/signals.hpp"
#include "daemon/thread_turns.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace
{

using namespace ezio;

constexpr int exit_clean = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

void say(std::FILE *to, std::string const &line)
{
	std::fputs((line + "\n").c_str(), to);
}

int fail(error const &e, int status)
{
	say(stderr, "eziod: " + to_string(e));
	return status;
}

void tell_service(result<void> const &told)
{
	if (!told)
		component_log("daemon")->warn("{}", to_string(told.failure()));
}

/// Waits for the end of the daemon's life; false if it must end in failure.
bool serve(eziod &daemon, signals &from)
{
	auto const log = component_log("daemon");
	for (;;) {
		auto const woken = from.wait();
		if (!woken) {
			log->critical("{}", to_string(woken.failure()));
			return false;
		}
		switch (*woken) {
		case wake_reason::stop:
			log->info("stopping: a signal asked for it");
			return true;
		case wake_reason::reload:
			tell_service(notify_reloading());
			daemon.reload([] { tell_service(notify_service("READY=1")); });
			break;
		case wake_reason::notified:
			if (daemon.must_stop())
				return true;
			break;
		}
	}
}

/// Stops in another thread, so that signals are still answered.
stop_report stop(eziod &daemon, signals &from)
{
	auto const log = component_log("daemon");
	stop_report report;
	std::atomic<bool> is_done{false};
	std::thread stopper([&] {
		report = daemon.stop();
		is_done = true;
		from.notify();
	});
	while (!is_done) {
		auto const woken = from.wait();
		if (!woken)
			break;
		if (*woken == wake_reason::stop)
			log->warn("already stopping; data is being written, nothing is cut short");
	}
	stopper.join();
	return report;
}

int run(configuration config, std::string const &path)
{
	auto const log_opened = open_log(
		{config.text("level"), config.list("levels"), config.text("format") == "json", config.text("file")});
	if (!log_opened)
		return fail(log_opened.failure(), exit_failure);
	auto taken = signals::take();
	if (!taken)
		return fail(taken.failure(), exit_failure);
	auto &from = *taken;
	auto const log = component_log("daemon");
	// Before any other thread is started.
	auto const turns = ask_for_short_turns();
	if (!turns)
		log->warn("{}", to_string(turns.failure()));
	auto started = eziod::start(std::move(config), path, [&from] { from.notify(); });
	if (!started) {
		log->critical("cannot start: {}", to_string(started.failure()));
		return exit_failure;
	}
	auto &daemon = **started;
	tell_service(notify_service("READY=1"));
	auto const is_well = serve(daemon, from);
	tell_service(notify_service("STOPPING=1"));
	auto const report = stop(daemon, from);
	for (auto const &failure : report.failures)
		log->error("while stopping: {}", to_string(failure));
	for (auto const &name : report.not_ended)
		log->critical("{} did not end; data that it held may not be on the device", name);
	log->info("stopped");
	spdlog::shutdown();
	if (!report.not_ended.empty())
		// A thread hangs in the kernel; waiting for it would be for ever.
		std::_Exit(exit_failure);
	return is_well && report.is_clean() ? exit_clean : exit_failure;
}

int check(load_report const &loaded)
{
	if (!loaded.is_valid())
		return exit_usage;
	auto const keys =
		read_curve_access(loaded.config.text("curve-secret-key"), loaded.config.text("authorized-keys"));
	if (!keys)
		return fail(keys.failure(), exit_usage);
	say(stdout, "the configuration is valid");
	return exit_clean;
}

} // namespace

int main(int argc, char **argv)
{
	auto const parsed = parse_options(std::vector<std::string>(argv + 1, argv + argc));
	if (!parsed) {
		fail(parsed.failure(), exit_usage);
		say(stderr, "Try eziod --help.");
		return exit_usage;
	}
	if (parsed->what == options::action::print_help) {
		std::fputs(help_text().c_str(), stdout);
		return exit_clean;
	}
	if (parsed->what == options::action::print_version) {
		say(stdout, "eziod " EZIO_VERSION " (libtorrent " + libtorrent_version() + ")");
		return exit_clean;
	}
	auto loaded =
		parsed->config_path.empty() ? load_report{} : load_config(parsed->config_path, libtorrent_keys());
	if (loaded.read_failure)
		fail(*loaded.read_failure, exit_usage);
	for (auto const &fault : loaded.faults)
		say(stderr, to_string(fault));
	if (parsed->what == options::action::check_config)
		return check(loaded);
	if (!loaded.is_valid())
		return exit_usage;
	return run(std::move(loaded.config), parsed->config_path);
}
