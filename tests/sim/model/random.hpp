#pragma once

#include <cstdint>

namespace ezio::sim
{

/// SplitMix64: the same numbers everywhere for the same seed, which the standard's distributions do not
/// promise.
class random_source
{
public:
	explicit random_source(std::uint64_t seed) : m_state(seed) {}

	std::uint64_t next()
	{
		std::uint64_t z = m_state += 0x9e3779b97f4a7c15;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		return z ^ (z >> 31);
	}
	/// Below @p bound, which is not 0.
	std::uint32_t below(std::uint32_t bound)
	{
		return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
	}
	/// In [0, 1).
	double share() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
	std::uint64_t m_state;
};

} // namespace ezio::sim
