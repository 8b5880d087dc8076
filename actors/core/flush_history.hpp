#pragma once

#include "actors/core/error.hpp"
#include "actors/core/result.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace ezio
{

/// What has become of the flushes of one device, whoever asked for them: of all its partitions, torrents and
/// handles. A device whose flush failed may have dropped what others had written too, and says so once, to
/// whoever asked first. Thread-safe.
class flush_history
{
public:
	/// Flushes that failed so far. Taken before a write, it tells later whether a flush failed since.
	std::uint64_t failures() const
	{
		std::lock_guard const lock(m_mutex);
		return m_failures;
	}

	/// Runs @p flush() -> result<void>, unless a flush has failed since there were @p seen failures. Then
	/// what was written meanwhile is not to be trusted, whatever the device says now, and that failure is the
	/// answer. One flush of the device at a time: a success is to mean that no other failed beside it.
	template <class Flush>
	result<void> run(std::uint64_t seen, Flush &&flush)
	{
		std::lock_guard const one_at_a_time(m_running);
		if (auto const earlier = failed_since(seen))
			return *earlier;
		result<void> outcome = flush();
		if (!outcome) {
			std::lock_guard const lock(m_mutex);
			++m_failures;
			m_last = outcome.failure();
		}
		return outcome;
	}

private:
	std::optional<error> failed_since(std::uint64_t seen) const
	{
		std::lock_guard const lock(m_mutex);
		if (m_failures == seen)
			return std::nullopt;
		auto e = *m_last;
		e.message = "another flush of the device failed, and what was written before it may be lost" +
			(e.message.empty() ? "" : ": " + e.message);
		return e;
	}

	std::mutex m_running;       ///< held while the device flushes
	mutable std::mutex m_mutex; ///< guards what follows
	std::uint64_t m_failures = 0;
	std::optional<error> m_last; ///< set with the first failure
};

} // namespace ezio
