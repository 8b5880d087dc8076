// What it takes to watch many daemons: `ezioctl fleet` against that many fake ones on this machine, of which
// some hang. Time and CPU of one status, CPU a second of a wait, and of top on a terminal with the longest
// time between two changes of the screen.
//
//     bench_fleet PATH-OF-EZIOCTL [NODES [SECONDS]]
#include "tests/ctl/fake_fleet.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace
{

using namespace ezio;
using nlohmann::json;
using steady = std::chrono::steady_clock;

/// Every so many nodes one never answers.
constexpr std::size_t hang_every = 50;

[[noreturn]] void fail(char const *what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

double seconds_since(steady::time_point begin)
{
	return std::chrono::duration<double>(steady::now() - begin).count();
}

struct run_cost {
	int status = -1;
	double wall_seconds = 0;
	double cpu_seconds = 0;
	double longest_pause_seconds = 0; ///< between two changes of the screen
	std::size_t bytes = 0;            ///< sent to the terminal
};

[[noreturn]] void become(std::vector<std::string> const &words)
{
	std::vector<char *> arguments;
	for (auto const &word : words)
		arguments.push_back(const_cast<char *>(word.c_str()));
	arguments.push_back(nullptr);
	::execv(arguments.front(), arguments.data());
	::_exit(127);
}

run_cost wait_for(::pid_t child, run_cost cost, steady::time_point begin)
{
	int status = 0;
	::rusage used{};
	if (::wait4(child, &status, 0, &used) < 0)
		fail("wait4");
	cost.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	cost.wall_seconds = seconds_since(begin);
	for (auto const &time : {used.ru_utime, used.ru_stime})
		cost.cpu_seconds += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
	return cost;
}

run_cost run_quietly(std::vector<std::string> const &words)
{
	auto const begin = steady::now();
	auto const child = ::fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		auto const nowhere = ::open("/dev/null", O_WRONLY);
		if (nowhere < 0 || ::dup2(nowhere, STDOUT_FILENO) < 0 || ::dup2(nowhere, STDERR_FILENO) < 0)
			::_exit(126);
		become(words);
	}
	return wait_for(child, {}, begin);
}

run_cost run_on_terminal(std::vector<std::string> const &words, double seconds)
{
	::winsize const size{24, 80, 0, 0};
	int terminal = -1;
	auto const begin = steady::now();
	auto const child = ::forkpty(&terminal, nullptr, nullptr, &size);
	if (child < 0)
		fail("forkpty");
	if (child == 0)
		become(words);
	run_cost cost;
	auto last = steady::time_point();
	std::array<char, 65536> buffer{};
	while (seconds_since(begin) < seconds) {
		::pollfd item{terminal, POLLIN, 0};
		if (::poll(&item, 1, 20) <= 0)
			continue;
		auto const count = ::read(terminal, buffer.data(), buffer.size());
		if (count <= 0)
			break;
		cost.bytes += static_cast<std::size_t>(count);
		// Parts of one change come together.
		if (last != steady::time_point() && seconds_since(last) > 0.05)
			cost.longest_pause_seconds = std::max(cost.longest_pause_seconds, seconds_since(last));
		last = steady::now();
	}
	if (::write(terminal, "q", 1) != 1)
		fail("write");
	// A terminal that nobody reads would keep it from ending.
	for (;;) {
		auto const count = ::read(terminal, buffer.data(), buffer.size());
		if (count <= 0)
			break;
	}
	::close(terminal);
	return wait_for(child, cost, begin);
}

json torrent(std::size_t done)
{
	json t{{"info_hash", std::string(40, 'a')}, {"name", "disk"}, {"target", "/dev/sda1"},
		{"state", "downloading"}, {"seed", false}, {"synced", false}, {"verified", false},
		{"size_bytes", 1000000}, {"done_bytes", done}, {"down_rate", 100000}, {"up_rate", 5000}, {"peers", 9},
		{"pieces_total", 1000}, {"pieces_done", done / 1000},
		{"progress", static_cast<double>(done) / 1000000}, {"eta_seconds", (1000000 - done) / 1000},
		{"error", nullptr}, {"bad_pieces", nullptr}};
	return {{"torrents", {t}}, {"totals", json::object()}};
}

void measure(std::string const &ezioctl, std::size_t nodes, double seconds)
{
	std::atomic<std::size_t> answered{0};
	fake_fleet const fleet(nodes, [&](std::size_t i, auto, auto const &) -> std::optional<result<json>> {
		if (i % hang_every == hang_every - 1)
			return std::nullopt;
		return result<json>(torrent((i * 4000 + answered++) % 1000000));
	});
	auto const file = fleet.nodes_file();
	std::printf("%zu nodes, of which %zu hang\n", nodes, nodes / hang_every);

	auto const time_out = std::to_string(1);
	for (int run = 0; run < 3; ++run) {
		auto const one = run_quietly({ezioctl, "--timeout", time_out, "fleet", "status", "--nodes", file});
		std::printf("status: exit status %d, %.2f s with a time-out of 1 s, %.3f CPU-s\n", one.status,
			one.wall_seconds, one.cpu_seconds);
	}
	answered = 0;
	auto const waited = run_quietly(
		{ezioctl, "--timeout", std::to_string(seconds), "fleet", "wait", "--for", "synced", "--nodes", file});
	std::printf("wait:   exit status %d, %.3f CPU-s a second, %.2f answers a second and node\n",
		waited.status, waited.cpu_seconds / waited.wall_seconds,
		static_cast<double>(answered) / waited.wall_seconds / static_cast<double>(nodes));
	answered = 0;
	auto const top = run_on_terminal({ezioctl, "fleet", "top", "--nodes", file}, seconds);
	std::printf(
		"top:    exit status %d, %.3f CPU-s a second, %.2f answers a second and node, %.1f KiB/s to the "
		"terminal, changes %.2f s apart at most\n",
		top.status, top.cpu_seconds / top.wall_seconds,
		static_cast<double>(answered) / top.wall_seconds / static_cast<double>(nodes),
		static_cast<double>(top.bytes) / 1024 / top.wall_seconds, top.longest_pause_seconds);
	if (waited.status != 6 || top.status != 0)
		throw std::runtime_error("unexpected exit status");
}

} // namespace

int main(int argc, char **argv)
{
	try {
		if (argc < 2 || argc > 4)
			throw std::runtime_error("usage: bench_fleet PATH-OF-EZIOCTL [NODES [SECONDS]]");
		measure(argv[1], argc > 2 ? std::stoul(argv[2]) : 200, argc > 3 ? std::stod(argv[3]) : 10);
		return 0;
	} catch (std::exception const &e) {
		std::fprintf(stderr, "bench_fleet: %s\n", e.what());
		return 1;
	}
}
