#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace ezio::test
{

/// The seed of a randomised test: EZIO_TEST_SEED, to replay a failure, or a fresh one. The test shows it as
/// EZIO_TEST_SEED when it fails.
inline std::uint64_t test_seed()
{
	if (auto const *const given = std::getenv("EZIO_TEST_SEED"))
		return std::strtoull(given, nullptr, 10);
	return std::random_device{}();
}

} // namespace ezio::test
