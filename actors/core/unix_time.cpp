#include "actors/core/unix_time.hpp"

#include <ctime>

namespace ezio
{

std::uint64_t unix_ms_now() noexcept
{
	std::timespec now{};
	// Fails for no clock that exists.
	if (::clock_gettime(CLOCK_REALTIME, &now) != 0)
		return 0;
	return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
		static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

} // namespace ezio
