#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ezio
{

/// One thread of this process and the CPU time it has used (proc(5), /proc/self/task).
struct thread_cpu {
	std::string name; ///< at most 15 characters
	std::int64_t tid = 0;
	std::uint64_t cpu_ns = 0;
};

/// All threads of this process. A thread that ends meanwhile is left out; where /proc is not mounted there is
/// none. Reads a few hundred bytes a thread and never waits for a device.
std::vector<thread_cpu> read_thread_cpu();

/// Names by which the threads of the data path are known.
inline constexpr char const *hasher_thread_name = "hasher";
inline constexpr char const *network_thread_name = "network"; ///< libtorrent's

} // namespace ezio
