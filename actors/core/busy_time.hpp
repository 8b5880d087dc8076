#pragma once

#include "actors/core/units.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ezio
{

/// How long something has been busy, episode by episode. One thread writes (relaxed), any may read: an
/// episode that has not ended counts up to now, so that what hangs shows.
class busy_time
{
public:
	void begin(monotonic_time now) { m_since_ns.store(to_ns(now), std::memory_order_relaxed); }
	/// Nothing if no episode has begun.
	void end(monotonic_time now)
	{
		auto const since = m_since_ns.exchange(0, std::memory_order_relaxed);
		if (since != 0 && to_ns(now) > since)
			add(static_cast<std::uint64_t>(to_ns(now) - since));
	}
	void add(std::uint64_t ns) { m_ended_ns.fetch_add(ns, std::memory_order_relaxed); }

	bool is_busy() const { return m_since_ns.load(std::memory_order_relaxed) != 0; }
	std::uint64_t total_ns(monotonic_time now) const
	{
		auto const ended = m_ended_ns.load(std::memory_order_relaxed);
		auto const since = m_since_ns.load(std::memory_order_relaxed);
		return since != 0 && to_ns(now) > since ? ended + static_cast<std::uint64_t>(to_ns(now) - since)
												: ended;
	}

private:
	static std::int64_t to_ns(monotonic_time time)
	{
		return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
	}

	std::atomic<std::uint64_t> m_ended_ns{0};
	std::atomic<std::int64_t> m_since_ns{0}; ///< 0: not busy
};

/// One episode of what goes on in a scope.
class busy_episode
{
public:
	explicit busy_episode(busy_time &of) : m_of(of) { m_of.begin(monotonic_clock::now()); }
	~busy_episode() { m_of.end(monotonic_clock::now()); }
	busy_episode(busy_episode const &) = delete;
	busy_episode &operator=(busy_episode const &) = delete;

private:
	busy_time &m_of;
};

} // namespace ezio
