#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ezio
{

/// Durations in buckets that double from 1 microsecond to over an hour. One writer or many, any reader;
/// relaxed atomics, so that recording costs two additions.
class latency_histogram
{
public:
	static constexpr std::size_t buckets = 33;

	void record(std::chrono::nanoseconds duration);

	struct summary {
		std::uint64_t count = 0;
		std::uint64_t p50_us = 0; ///< upper bound of the bucket that holds the percentile; at most max_us
		std::uint64_t p95_us = 0;
		std::uint64_t p99_us = 0;
		std::uint64_t max_us = 0;                    ///< exact
		std::uint64_t total_ns = 0;                  ///< sum of all durations
		std::array<std::uint64_t, buckets> counts{}; ///< by bucket

		/// Adds the durations of another one.
		summary &operator+=(summary const &other);
	};
	/// The longest duration of a bucket; the last bucket holds all longer ones as well.
	static constexpr std::uint64_t upper_us(std::size_t bucket) { return std::uint64_t{1} << bucket; }
	summary summarize() const;

private:
	std::array<std::atomic<std::uint64_t>, buckets> m_counts{};
	std::atomic<std::uint64_t> m_max_us{0};
	std::atomic<std::uint64_t> m_total_ns{0};
};

} // namespace ezio
