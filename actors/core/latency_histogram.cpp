#include "actors/core/latency_histogram.hpp"

#include <algorithm>
#include <bit>

namespace ezio
{
namespace
{

/// Bucket i holds durations above 2^(i-1) and up to 2^i microseconds; the last one all longer ones as well.
std::size_t bucket_of(std::uint64_t us)
{
	if (us <= 1)
		return 0;
	return std::min<std::size_t>(
		static_cast<std::size_t>(std::bit_width(us - 1)), latency_histogram::buckets - 1);
}

void find_percentiles(latency_histogram::summary &s)
{
	if (s.count == 0)
		return;
	auto const percentile = [&](std::uint64_t percent) {
		// The rank of the percentile, rounded up, so that one sample is every percentile.
		auto const rank = (s.count / 100) * percent + ((s.count % 100) * percent + 99) / 100;
		std::uint64_t below = 0;
		for (std::size_t i = 0; i + 1 < latency_histogram::buckets; ++i) {
			below += s.counts[i];
			if (below >= rank)
				return std::min(latency_histogram::upper_us(i), s.max_us);
		}
		return s.max_us;
	};
	s.p50_us = percentile(50);
	s.p95_us = percentile(95);
	s.p99_us = percentile(99);
}

} // namespace

void latency_histogram::record(std::chrono::nanoseconds duration)
{
	auto const ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
	auto const us = ns / 1000 + (ns % 1000 != 0 ? 1 : 0);
	m_counts[bucket_of(us)].fetch_add(1, std::memory_order_relaxed);
	m_total_ns.fetch_add(ns, std::memory_order_relaxed);
	auto seen = m_max_us.load(std::memory_order_relaxed);
	while (seen < us && !m_max_us.compare_exchange_weak(seen, us, std::memory_order_relaxed)) {
	}
}

latency_histogram::summary latency_histogram::summarize() const
{
	summary s;
	for (std::size_t i = 0; i < buckets; ++i) {
		s.counts[i] = m_counts[i].load(std::memory_order_relaxed);
		s.count += s.counts[i];
	}
	s.total_ns = m_total_ns.load(std::memory_order_relaxed);
	s.max_us = m_max_us.load(std::memory_order_relaxed);
	find_percentiles(s);
	return s;
}

latency_histogram::summary &latency_histogram::summary::operator+=(summary const &other)
{
	for (std::size_t i = 0; i < buckets; ++i)
		counts[i] += other.counts[i];
	count += other.count;
	total_ns += other.total_ns;
	max_us = std::max(max_us, other.max_us);
	find_percentiles(*this);
	return *this;
}

} // namespace ezio
