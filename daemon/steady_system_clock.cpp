#include "actors/core/unix_time.hpp"

#include <chrono>

// libtorrent's timers and time-outs count by std::chrono::high_resolution_clock, which libstdc++ makes the
// system's clock. Set back by eight hours, as happens to a machine whose hardware clock holds local time once
// NTP runs, they would stand still for eight hours: no peer is tried again, unchoked or found silent. The
// function below takes the place of libstdc++'s for every library that calls it in this process: the clock's
// time at the first call, and from then on what has passed, whatever the clock is set to. Who wants the clock
// itself asks unix_ms_now(). The standard does not provide for this; that a program's functions come before
// those of its shared libraries is ELF's rule (System V ABI, "Shared Object Dependencies").
//
// Nobody may wait until a time of this clock (condition_variable::wait_until, future::wait_until, CAF's
// receive with a time-out): the kernel waits by the clock itself. docs/decisions/0015-the-wall-clock.md.
namespace std::chrono
{
inline namespace _V2
{

system_clock::time_point system_clock::now() noexcept
{
	// What the clock showed when the monotonic one began.
	static auto const begin = milliseconds(static_cast<milliseconds::rep>(ezio::unix_ms_now())) -
		steady_clock::now().time_since_epoch();
	return time_point(duration_cast<duration>(begin + steady_clock::now().time_since_epoch()));
}

} // namespace _V2
} // namespace std::chrono
