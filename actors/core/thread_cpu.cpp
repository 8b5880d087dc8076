#include "actors/core/thread_cpu.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace ezio
{
namespace
{

/// "12 (name) R ..." of /proc/PID/stat; the name may hold blanks and parentheses.
std::string name_in_stat(std::string const &stat)
{
	auto const begin = stat.find('(');
	auto const end = stat.rfind(')');
	if (begin == std::string::npos || end == std::string::npos || end <= begin)
		return {};
	return stat.substr(begin + 1, end - begin - 1);
}

} // namespace

std::vector<thread_cpu> read_thread_cpu()
{
	std::vector<thread_cpu> threads;
	std::error_code failed;
	for (std::filesystem::directory_iterator entry("/proc/self/task", failed), end; !failed && entry != end;
		 entry.increment(failed)) {
		thread_cpu thread;
		auto const tid = entry->path().filename().string();
		if (std::from_chars(tid.data(), tid.data() + tid.size(), thread.tid).ec != std::errc{})
			continue;
		std::ifstream stat_file(entry->path() / "stat");
		std::string stat;
		// The first field of schedstat is the time on a CPU in nanoseconds; stat has it in clock ticks only.
		std::ifstream schedule(entry->path() / "schedstat");
		if (!std::getline(stat_file, stat) || !(schedule >> thread.cpu_ns))
			continue;
		thread.name = name_in_stat(stat);
		threads.push_back(std::move(thread));
	}
	return threads;
}

} // namespace ezio
