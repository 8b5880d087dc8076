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

std::string device_name(pool_numbers const &numbers, pool_numbers::partition const &of)
{
	for (auto const &device : numbers.devices)
		if (device.number == of.device)
			return device.name;
	return {};
}

stats_report::partition_counters counters_of(partition_stats const &from)
{
	stats_report::partition_counters row;
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
	row.retries = value(from.retries);
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

std::uint64_t to_ms(std::uint64_t ns)
{
	return ns / 1'000'000;
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
	auto const numbers = sources.partitions();
	auto const bytes = [](partition_stats const &of) { return value(of.read_bytes) + value(of.write_bytes); };
	sample.device_bytes = bytes(*numbers.ended_partitions);
	for (auto const &device : numbers.devices)
		sample.devices.push_back(
			{device.number, device.name, device.backpressure->waited.total_ns(sample.when)});
	for (auto const &partition : numbers.partitions) {
		auto const &stats = *partition.stats;
		sample.device_bytes += bytes(stats);
		sample.partitions.push_back({partition.number, device_name(numbers, partition),
			stats.device_calls.total_ns(sample.when), stats.hashing.total_ns(sample.when)});
	}
	return sample;
}

stats_report::device_row row_of(pool_numbers::device const &device, monotonic_time now)
{
	auto const &from = *device.backpressure;
	stats_report::device_row row;
	row.device = device.name;
	row.kind = device.kind;
	row.partitions = device.partitions;
	row.dirty_bytes = value(from.dirty_bytes);
	row.mark_bytes = value(from.mark_bytes);
	row.drain_bytes_per_second = value(from.drain_bytes_per_second);
	row.blocks_refused = value(from.refused);
	row.backpressure_count = value(from.count);
	row.backpressure_ms = to_ms(from.waited.total_ns(now));
	return row;
}

stats_report snapshot(stats_state const &state)
{
	auto const now = monotonic_clock::now();
	auto const &sources = state.sources;
	stats_report report;
	auto const numbers = sources.partitions();
	for (auto const &partition : numbers.partitions)
		report.partitions.push_back(
			{counters_of(*partition.stats), partition.index, device_name(numbers, partition)});
	report.ended = counters_of(*numbers.ended_partitions);
	report.backpressure_count = value(numbers.ended_devices->count);
	report.backpressure_ms = to_ms(numbers.ended_devices->waited.total_ns(now));
	report.blocks_refused = value(numbers.ended_devices->refused);
	for (auto const &device : numbers.devices) {
		auto &row = report.devices.emplace_back(row_of(device, now));
		for (std::size_t i = 0; i < numbers.partitions.size(); ++i) {
			if (numbers.partitions[i].device == device.number)
				row.counters += report.partitions[i];
		}
		report.dirty_bytes += row.dirty_bytes;
		report.backpressure_count += row.backpressure_count;
		report.backpressure_ms += row.backpressure_ms;
		report.blocks_refused += row.blocks_refused;
	}
	report.budget_blocks = sources.arena->capacity_blocks();
	report.used_blocks = sources.arena->used_blocks();
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

stats_report::partition_counters &stats_report::partition_counters::operator+=(
	partition_counters const &other)
{
	for (auto const &[name, member] : partition_counter_members)
		this->*member += other.*member;
	read_latency += other.read_latency;
	write_latency += other.write_latency;
	hash_latency += other.hash_latency;
	sync_latency += other.sync_latency;
	return *this;
}

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
