#pragma once

#include "actors/core/error.hpp"
#include "actors/core/units.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace ezio
{

/// How often and how soon a transfer that failed is tried again.
struct retry_limits {
	std::uint32_t limit = 0;              ///< attempts after the first; 0: every failure is final
	std::chrono::milliseconds delay{100}; ///< before the first of them; each further one waits twice as long

	friend bool operator==(retry_limits const &, retry_limits const &) = default;
};

/// No single wait is longer, whatever the limits.
inline constexpr std::chrono::milliseconds retry_delay_max{10'000};

/// Can the failure of a read, a write or an open go away by itself? What tells of a condition that only
/// somebody else can end (a full, read-only, vanished or short device) is final, and so is any failed flush,
/// which is never asked about here.
bool may_pass(error const &failure);

/// Decides for one handle of a device when a failed transfer is tried again. Waiting costs everybody on the
/// device: after attempts that were all in vain, failures are final at once for rest_factor times as long as
/// those took, so that a device with many bad sectors loses a tenth of its time to them at most. Pure.
class retry_policy
{
public:
	static constexpr int rest_factor = 10;

	/// A transfer failed at @p now. How long to wait before it is tried again; empty: the failure is final.
	std::optional<std::chrono::milliseconds> failed(
		error const &failure, retry_limits const &limits, monotonic_time now);
	/// The transfer succeeded.
	void succeeded();

private:
	std::uint32_t m_attempts = 0; ///< of the series that runs
	monotonic_time m_begun{};     ///< of that series
	monotonic_time m_rest_until{};
};

} // namespace ezio
