#include "actors/stats.hpp"

#include "actors/core/thread_cpu.hpp"
#include "actors/timeouts.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ezio
{

namespace
{

std::uint64_t value(std::atomic<std::uint64_t> const &counter)
{
	return counter.load(std::memory_order_relaxed);
}

stats_report::partition_row row_of(std::uint32_t index, partition_stats const &from)
{
	stats_report::partition_row row;
	row.index = index;
	row.cache_hits = value(from.cache_hits);
	row.cache_misses = value(from.cache_misses);
	row.ahead_blocks = value(from.ahead_blocks);
	row.ahead_unused_blocks = value(from.ahead_unused_blocks);
	row.read_ops = value(from.read_ops);
	row.read_bytes = value(from.read_bytes);
	row.write_ops = value(from.write_ops);
	row.write_bytes = value(from.write_bytes);
	row.blocks_written = value(from.blocks_written);
	row.hashed_bytes = value(from.hashed_bytes);
	row.syncs = value(from.syncs);
	row.errors = value(from.errors);
	row.blocks_clean = value(from.blocks_clean);
	row.blocks_dirty = value(from.blocks_dirty);
	row.jobs_waiting = value(from.jobs_waiting);
	row.queue_depth = value(from.queue_depth);
	row.read_latency = from.read_latency.summarize();
	row.write_latency = from.write_latency.summarize();
	row.hash_latency = from.hash_latency.summarize();
	row.sync_latency = from.sync_latency.summarize();
	return row;
}

stats_report::hasher_row row_of(std::uint32_t index, hasher_stats const &from)
{
	stats_report::hasher_row row;
	row.index = index;
	row.hashed_bytes = value(from.hashed_bytes);
	row.pieces = value(from.pieces);
	for (std::size_t i = 0; i < row.steps_by_pieces.size(); ++i)
		row.steps_by_pieces[i] = value(from.steps_by_pieces[i]);
	return row;
}

void add_counters(stats_report::partition_row &to, partition_stats const &from)
{
	to.cache_hits += value(from.cache_hits);
	to.cache_misses += value(from.cache_misses);
	to.ahead_blocks += value(from.ahead_blocks);
	to.ahead_unused_blocks += value(from.ahead_unused_blocks);
	to.read_ops += value(from.read_ops);
	to.read_bytes += value(from.read_bytes);
	to.write_ops += value(from.write_ops);
	to.write_bytes += value(from.write_bytes);
	to.blocks_written += value(from.blocks_written);
	to.hashed_bytes += value(from.hashed_bytes);
	to.syncs += value(from.syncs);
	to.errors += value(from.errors);
}

std::uint64_t full_ns(backpressure_stats const &from, monotonic_time now)
{
	auto total = value(from.total_ns);
	auto const since = from.full_since_ns.load(std::memory_order_relaxed);
	auto const now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
	if (since != 0 && now_ns > since)
		total += static_cast<std::uint64_t>(now_ns - since);
	return total;
}

load_sample sample_load(stats_sources const &sources)
{
	load_sample sample;
	sample.when = monotonic_clock::now();
	for (auto const &thread : read_thread_cpu()) {
		if (thread.name == network_thread_name)
			sample.network_cpu_ns += thread.cpu_ns;
		else if (thread.name == hasher_thread_name)
			sample.hash_cpu_ns += thread.cpu_ns;
	}
	auto const partitions = sources.partitions();
	for (auto const &partition : partitions.active) {
		auto const in_calls = partition->read_latency.total_ns() + partition->write_latency.total_ns() +
			partition->sync_latency.total_ns();
		sample.device_ns_max = std::max(sample.device_ns_max, in_calls);
		sample.device_bytes += value(partition->read_bytes) + value(partition->write_bytes);
	}
	for (auto const &gone : partitions.ended)
		sample.device_bytes += value(gone->read_bytes) + value(gone->write_bytes);
	sample.backpressure_ns = full_ns(*sources.backpressure, sample.when);
	return sample;
}

stats_report snapshot(stats_state const &state)
{
	auto const now = monotonic_clock::now();
	auto const &sources = state.sources;
	stats_report report;
	auto const partitions = sources.partitions();
	for (std::uint32_t i = 0; i < partitions.active.size(); ++i)
		report.partitions.push_back(row_of(i, *partitions.active[i]));
	for (auto const &gone : partitions.ended)
		add_counters(report.ended, *gone);
	report.budget_blocks = sources.arena->capacity_blocks();
	report.used_blocks = sources.arena->used_blocks();
	report.dirty_blocks = value(sources.backpressure->dirty_blocks);
	report.backpressure_count = value(sources.backpressure->count);
	report.blocks_refused = value(sources.backpressure->refused);
	report.backpressure_ms = full_ns(*sources.backpressure, now) / 1'000'000;
	auto const hashers = sources.hashers();
	report.hashers = static_cast<std::uint32_t>(hashers.size());
	for (std::uint32_t i = 0; i < hashers.size(); ++i)
		report.hasher_rows.push_back(row_of(i, *hashers[i]));
	for (std::size_t i = 0; i < state.events.size(); ++i) {
		report.events_published += state.events[i];
		report.event_counts.emplace_back(to_string(static_cast<event_kind>(i)), state.events[i]);
	}
	auto const present = sample_load(sources);
	report.load = load_between(state.samples.front(), present, report.hashers);
	report.uptime_ms = static_cast<std::uint64_t>(
		std::chrono::duration_cast<std::chrono::milliseconds>(now - state.started).count());
	return report;
}

} // namespace

double stats_report::hasher_row::lanes_filled() const
{
	std::uint64_t steps = 0;
	std::uint64_t pieces_in_steps = 0;
	for (std::size_t i = 0; i < steps_by_pieces.size(); ++i) {
		steps += steps_by_pieces[i];
		pieces_in_steps += steps_by_pieces[i] * (i + 1);
	}
	return steps == 0 ? 0 : static_cast<double>(pieces_in_steps) / static_cast<double>(steps);
}

stats_actor::behavior_type stats(stats_actor::stateful_pointer<stats_state> self, stats_sources sources)
{
	self->state.sources = std::move(sources);
	self->state.started = monotonic_clock::now();
	self->state.samples.push_back(sample_load(self->state.sources));
	self->delayed_send(self, timeouts::load_interval, tick_atom::value);
	return {
		[self](stats_atom) { return snapshot(self->state); },
		[self](event const &e) { ++self->state.events[static_cast<std::size_t>(e.kind)]; },
		[self](tick_atom) {
			auto &samples = self->state.samples;
			samples.push_back(sample_load(self->state.sources));
			if (samples.size() > timeouts::load_samples)
				samples.pop_front();
			self->delayed_send(self, timeouts::load_interval, tick_atom::value);
		},
		[self](stop_atom) { self->quit(); },
	};
}

} // namespace ezio
