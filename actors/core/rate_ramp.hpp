#pragma once

#include "actors/core/units.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace ezio
{

/// How a slow start goes: from start up by step every period, until end is reached. Rates in bytes a second.
struct ramp_plan {
	std::uint64_t start = 0; ///< 0: no slow start
	std::uint64_t step = 0;
	std::chrono::milliseconds period{1000};
	std::uint64_t end = 0;

	friend bool operator==(ramp_plan const &, ramp_plan const &) = default;
};

/// The ceiling of a daemon's rates while its transfers begin. It stands at the start rate while nothing
/// moves, rises from the first byte on, and is gone when the end rate is reached; after idle_after without a
/// byte the next start is slow again. Pure: the caller brings the time, which does not go back.
class rate_ramp
{
public:
	static constexpr auto idle_after = std::chrono::seconds(30);

	/// In force at once; a ramp that was run through is not run again before the next idle time.
	void set_plan(ramp_plan const &plan) { m_plan = plan; }
	/// @p moved_bytes: payload of all torrents so far, both ways; it may fall when a torrent is removed.
	void observe(monotonic_time now, std::uint64_t moved_bytes);
	/// Bytes a second; nothing: no ceiling.
	std::optional<std::uint64_t> ceiling(monotonic_time now) const;

private:
	enum class phase : std::uint8_t { idle, rising, passed };

	ramp_plan m_plan;
	phase m_phase = phase::idle;
	monotonic_time m_begun{};
	monotonic_time m_last_moved{};
	std::uint64_t m_moved_bytes = 0;
};

} // namespace ezio
