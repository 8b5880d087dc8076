#include "actors/core/unix_time.hpp"

#include <cerrno>
#include <ctime>
#include <system_error>

namespace ezio
{

std::uint64_t unix_ms_now()
{
	std::timespec now{};
	if (::clock_gettime(CLOCK_REALTIME, &now) != 0)
		throw std::system_error(errno, std::system_category(), "clock_gettime");
	return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
		static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

} // namespace ezio
