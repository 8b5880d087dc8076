#pragma once

#include "actors/core/units.hpp"

#include <chrono>

namespace ezio::test
{

/// Time that passes when the test says so. Used by one thread.
class manual_clock
{
public:
	monotonic_time now() const { return m_now; }
	void advance(std::chrono::nanoseconds by) { m_now += by; }

private:
	monotonic_time m_now{std::chrono::hours(1)};
};

} // namespace ezio::test
