#include "ctl/create/child_process.hpp"

#include "actors/core/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::size_t output_bytes_max = 64 * 1024;
constexpr int interrupt_check_ms = 100;

/// Owns what posix_spawn needs; starts the child with both outputs on @p output.
int spawn(pid_t &child, std::vector<std::string> const &arguments, int output)
{
	std::vector<char *> argv;
	for (auto const &argument : arguments)
		argv.push_back(const_cast<char *>(argument.c_str()));
	argv.push_back(nullptr);
	std::vector<char *> environment;
	for (char **entry = environ; *entry != nullptr; ++entry) {
		std::string_view const text(*entry);
		if (!text.starts_with("LC_") && !text.starts_with("LANG"))
			environment.push_back(*entry);
	}
	std::string locale = "LC_ALL=C";
	environment.push_back(locale.data());
	environment.push_back(nullptr);

	posix_spawn_file_actions_t actions;
	auto failed = ::posix_spawn_file_actions_init(&actions);
	if (failed != 0)
		return failed;
	failed = ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (failed == 0)
		failed = ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (failed == 0)
		failed = ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (failed == 0)
		failed = ::posix_spawn(&child, argv.front(), &actions, nullptr, argv.data(), environment.data());
	::posix_spawn_file_actions_destroy(&actions);
	return failed;
}

result<int> reap(pid_t child, std::string const &program)
{
	int status = 0;
	while (::waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return make_system_error("waitpid", program, errno);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

std::string find_program(std::string const &name)
{
	auto const *path = std::getenv("PATH");
	std::string directories = path != nullptr ? path : "";
	directories += ":/usr/sbin:/sbin";
	std::size_t begin = 0;
	while (begin <= directories.size()) {
		auto const end = std::min(directories.find(':', begin), directories.size());
		auto const directory = directories.substr(begin, end - begin);
		begin = end + 1;
		// An empty or relative element would run a program from wherever the operator happens to be.
		if (!directory.starts_with('/'))
			continue;
		auto candidate = directory + "/" + name;
		if (::access(candidate.c_str(), X_OK) == 0)
			return candidate;
	}
	return {};
}

result<child_outcome> run_child(
	std::vector<std::string> const &arguments, std::atomic<bool> const &interrupted)
{
	auto const &program = arguments.front();
	std::array<int, 2> ends{};
	if (::pipe2(ends.data(), O_CLOEXEC) != 0)
		return make_system_error("pipe", program, errno);
	unique_fd const read_end(ends[0]);
	unique_fd write_end(ends[1]);
	pid_t child = -1;
	if (auto const failed = spawn(child, arguments, write_end.number()); failed != 0)
		return make_system_error("start", program, failed);
	write_end = unique_fd();

	child_outcome out;
	bool is_killed = false;
	int read_errno = 0;
	for (;;) {
		if (interrupted && !is_killed) {
			// ESRCH is impossible: the child is not reaped yet.
			(void)::kill(child, SIGTERM);
			is_killed = true;
		}
		pollfd waiting{read_end.number(), POLLIN, 0};
		auto const ready = ::poll(&waiting, 1, interrupt_check_ms);
		if (ready == 0 || (ready < 0 && errno == EINTR))
			continue;
		std::array<char, 4096> chunk{};
		auto const got = ready < 0 ? -1 : ::read(read_end.number(), chunk.data(), chunk.size());
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			read_errno = errno;
			(void)::kill(child, SIGTERM);
			break;
		}
		if (got == 0)
			break;
		out.output.append(chunk.data(), static_cast<std::size_t>(got));
		if (out.output.size() > output_bytes_max)
			out.output.erase(0, out.output.size() - output_bytes_max);
	}
	auto const status = reap(child, program);
	if (!status)
		return status.failure();
	if (read_errno != 0)
		return make_system_error("read output of", program, read_errno);
	if (interrupted)
		return make_error(errc::interrupted, "interrupted while " + program + " was running");
	out.exit_status = *status;
	return out;
}

} // namespace ezio
