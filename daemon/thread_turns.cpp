#include "daemon/thread_turns.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace ezio
{
namespace
{

/// struct sched_attr of sched_setattr(2), which this C library does not declare, as of its first version.
struct scheduling {
	std::uint32_t size = sizeof(scheduling);
	std::uint32_t policy = 0;
	std::uint64_t flags = 0;
	std::int32_t nice = 0;
	std::uint32_t priority = 0;
	std::uint64_t runtime_ns = 0;
	std::uint64_t deadline_ns = 0;
	std::uint64_t period_ns = 0;
};
static_assert(sizeof(scheduling) == 48);

error failed(char const *operation, int os_errno)
{
	return make_system_error(operation, {}, os_errno, "the scheduler was not asked for short turns");
}

} // namespace

result<void> ask_for_short_turns()
{
	constexpr pid_t own_thread = 0;
	scheduling wanted;
	if (syscall(SYS_sched_getattr, own_thread, &wanted, sizeof(wanted), 0) != 0)
		return failed("sched_getattr", errno);
	if (wanted.policy != SCHED_OTHER && wanted.policy != SCHED_BATCH)
		return {};
	wanted.runtime_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(thread_turn).count());
	if (syscall(SYS_sched_setattr, own_thread, &wanted, 0) != 0)
		return failed("sched_setattr", errno);
	return {};
}

} // namespace ezio
