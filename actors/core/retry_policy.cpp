#include "actors/core/retry_policy.hpp"

#include <algorithm>
#include <cerrno>

namespace ezio
{

bool may_pass(error const &failure)
{
	switch (failure.os_errno) {
	case EAGAIN:    // the device or the kernel is short of something
	case EBUSY:     // another command holds the device
	case ENOMEM:    // of the kernel's
	case ENOBUFS:   // likewise, of a network disk
	case ETIMEDOUT: // a command was given up
	case ENOLINK:   // the path to the device was lost; a cable, or a path of several
	case EIO:       // says nothing: a link reset as well as a bad sector
		return true;
	default:
		return false;
	}
}

std::optional<std::chrono::milliseconds> retry_policy::failed(
	error const &failure, retry_limits const &limits, monotonic_time now)
{
	if (m_attempts == 0)
		m_begun = now;
	if (may_pass(failure) && m_attempts < limits.limit && now >= m_rest_until) {
		// Beyond the cap anyway from there on.
		constexpr std::uint32_t doublings_max = 20;
		auto const wait = limits.delay * (std::int64_t{1} << std::min(m_attempts, doublings_max));
		++m_attempts;
		return std::min<std::chrono::milliseconds>(wait, retry_delay_max);
	}
	if (m_attempts > 0)
		m_rest_until = now + (now - m_begun) * rest_factor;
	m_attempts = 0;
	return std::nullopt;
}

void retry_policy::succeeded()
{
	m_attempts = 0;
}

} // namespace ezio
