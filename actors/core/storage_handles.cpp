#include "actors/core/storage_handles.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace ezio
{
namespace
{

constexpr auto relaxed = std::memory_order_relaxed;

template <class Buffer>
std::uint64_t total_bytes(std::span<Buffer const> buffers)
{
	std::uint64_t bytes = 0;
	for (auto const &buffer : buffers)
		bytes += buffer.size_bytes;
	return bytes;
}

/// Left out by its device because another transfer of the batch failed.
bool is_untried(result<void> const &outcome)
{
	return !outcome && outcome.failure().code == errc::aborted;
}

} // namespace

/// Waits if the failure is worth another attempt. False: it is final.
bool storage_handles::is_tried_again(open_storage &on, error const &failure)
{
	auto const wait = on.retries.failed(failure, m_retry_limits, m_clock());
	if (!wait || !m_wait(*on.target, *wait))
		return false;
	on.target->count_retry(failure);
	m_stats.retries.fetch_add(1, relaxed);
	return true;
}

/// Carries out the batch, and again what of it failed or was left out because of that.
template <class Transfer, class Perform>
void storage_handles::perform(open_storage &on, std::span<Transfer> batch, Perform const &transfer_all)
{
	auto const carry_out = [&](std::span<Transfer> some) {
		busy_episode const episode(m_stats.device_calls);
		transfer_all(some);
	};
	carry_out(batch);
	std::vector<Transfer> again;
	for (;;) {
		// The worst decides: once one of them is final, so is the batch.
		Transfer const *worst = nullptr;
		for (auto const &transfer : batch) {
			if (!transfer.outcome && !is_untried(transfer.outcome) &&
				(worst == nullptr || !may_pass(transfer.outcome.failure())))
				worst = &transfer;
		}
		if (worst == nullptr)
			return on.retries.succeeded();
		if (!is_tried_again(on, worst->outcome.failure()))
			return;
		// Another partition's write has failed for good meanwhile: no more may reach the device.
		if (std::is_same_v<Transfer, device_write> && on.target->has_failed())
			return;
		again.clear();
		for (auto const &transfer : batch) {
			if (!transfer.outcome)
				again.push_back(transfer);
		}
		carry_out(std::span<Transfer>(again));
		auto from = again.begin();
		for (auto &transfer : batch) {
			if (transfer.outcome)
				continue;
			transfer.outcome = from->outcome;
			transfer.took += from->took;
			++from;
		}
	}
}

result<open_storage *> storage_handles::acquire(std::shared_ptr<storage> const &target)
{
	auto &open = m_open[to_int(target->id())];
	if (open.device && !(open.is_suspect && !target->has_failed()))
		return &open;
	open.target = target;
	auto handle = target->claim().open_handle();
	while (!handle && is_tried_again(open, handle.failure()))
		handle = target->claim().open_handle();
	if (!handle) {
		m_stats.errors.fetch_add(1, relaxed);
		if (!open.device)
			m_open.erase(to_int(target->id()));
		return handle.failure();
	}
	open.device = std::move(handle).value();
	open.is_suspect = false;
	open.flush_failures_seen = target->claim().flushes().failures();
	open.retries = {};
	return &open;
}

open_storage *storage_handles::find(storage_id id)
{
	auto const it = m_open.find(to_int(id));
	return it == m_open.end() ? nullptr : &it->second;
}

void storage_handles::close(storage_id id)
{
	m_open.erase(to_int(id));
}

void storage_handles::distrust(storage_id id)
{
	if (auto *const open = find(id))
		open->is_suspect = true;
}

void storage_handles::close_all()
{
	m_open.clear();
}

std::optional<error> storage_handles::close_flushed()
{
	std::optional<error> first;
	for (auto it = m_open.begin(); it != m_open.end();) {
		auto &open = it->second;
		if (open.is_unsynced && !open.target->has_failed()) {
			auto const flushed = counted_flush(open);
			if (!flushed) {
				if (!first)
					first = flushed.failure();
				++it;
				continue;
			}
		}
		it = m_open.erase(it);
	}
	return first;
}

std::optional<error> storage_handles::flush_all()
{
	std::optional<error> first;
	for (auto &[id, open] : m_open) {
		if (!open.is_unsynced || open.target->has_failed())
			continue;
		bool is_first = false;
		auto const flushed = flush(open, is_first);
		if (!flushed && !first)
			first = flushed.failure();
	}
	return first;
}

/// Adds the reads of a stretch, with their buffers.
void storage_handles::plan_read(open_storage const &from, payload_read const &stretch)
{
	std::size_t index = 0;
	std::size_t used = 0; // bytes of buffers[index]
	from.target->extents().for_each_segment(stretch.payload, [&](extent_segment const &segment) {
		auto const before = m_read_buffers.size();
		for (auto left = segment.length_bytes; left > 0;) {
			auto const &buffer = stretch.buffers[index];
			auto const size = std::min<std::uint64_t>(left, buffer.size_bytes - used);
			if (segment.is_pad)
				std::memset(buffer.data + used, 0, size);
			else
				m_read_buffers.push_back({buffer.data + used, size});
			left -= size;
			used += size;
			if (used == buffer.size_bytes) {
				++index;
				used = 0;
			}
		}
		if (segment.is_pad)
			return;
		m_reads.push_back({{}, segment.device_offset_bytes, {}, {}});
		m_read_buffer_counts.push_back(m_read_buffers.size() - before);
	});
}

void storage_handles::read_payloads(open_storage &from, std::span<payload_read> stretches)
{
	m_read_buffers.clear();
	m_read_buffer_counts.clear();
	m_read_owners.clear();
	m_reads.clear();
	for (std::size_t i = 0; i < stretches.size(); ++i) {
		stretches[i].outcome = {};
		plan_read(from, stretches[i]);
		m_read_owners.resize(m_reads.size(), i);
	}
	std::span<read_buffer const> rest(m_read_buffers);
	for (std::size_t i = 0; i < m_reads.size(); ++i) {
		m_reads[i].buffers = rest.first(m_read_buffer_counts[i]);
		rest = rest.subspan(m_read_buffer_counts[i]);
	}
	perform(
		from, std::span(m_reads), [&from](std::span<device_read> batch) { from.device->read_batch(batch); });
	for (std::size_t i = 0; i < m_reads.size(); ++i) {
		auto const &read = m_reads[i];
		auto &outcome = stretches[m_read_owners[i]].outcome;
		// What the device said is worth more than that something was left out because of it.
		if (!read.outcome && (outcome || is_untried(outcome)))
			outcome = read.outcome;
		if (is_untried(read.outcome))
			continue;
		m_stats.read_latency.record(read.took);
		m_stats.read_ops.fetch_add(1, relaxed);
		if (read.outcome)
			m_stats.read_bytes.fetch_add(total_bytes(read.buffers), relaxed);
		else
			m_stats.errors.fetch_add(1, relaxed);
	}
}

result<void> storage_handles::read_payload(
	open_storage &from, byte_range payload, std::span<read_buffer const> buffers)
{
	payload_read one{payload, buffers, {}};
	read_payloads(from, {&one, 1});
	return std::move(one.outcome);
}

result<void> storage_handles::forget_cached(open_storage const &of, byte_range payload)
{
	result<void> outcome;
	of.target->extents().for_each_segment(payload, [&](extent_segment const &segment) {
		if (!segment.is_pad && outcome)
			outcome = of.device->forget_cached(segment.device_offset_bytes, segment.length_bytes);
	});
	return outcome;
}

std::optional<std::size_t> storage_handles::write(open_storage &to, std::span<device_write> batch)
{
	if (!to.is_unsynced)
		to.flush_failures_seen = to.target->claim().flushes().failures();
	to.is_unsynced = true;
	perform(to, batch, [&to](std::span<device_write> some) { to.device->write_batch(some); });
	std::optional<std::size_t> first;
	for (std::size_t i = 0; i < batch.size(); ++i) {
		auto const &write = batch[i];
		if (is_untried(write.outcome))
			continue;
		m_stats.write_latency.record(write.took);
		m_stats.write_ops.fetch_add(1, relaxed);
		if (write.outcome) {
			m_stats.write_bytes.fetch_add(total_bytes(write.buffers), relaxed);
			continue;
		}
		m_stats.errors.fetch_add(1, relaxed);
		to.is_suspect = true;
		if (to.target->fail(write.outcome.failure()))
			first = i;
	}
	return first;
}

result<void> storage_handles::counted_flush(open_storage &of)
{
	auto &flushes = of.target->claim().flushes();
	if (!of.is_unsynced)
		of.flush_failures_seen = flushes.failures();
	auto const begun = monotonic_clock::now();
	auto flushed = flushes.run(of.flush_failures_seen, [this, &of] {
		busy_episode const episode(m_stats.device_calls);
		return of.device->flush();
	});
	m_stats.sync_latency.record(monotonic_clock::now() - begun);
	m_stats.syncs.fetch_add(1, relaxed);
	if (!flushed)
		m_stats.errors.fetch_add(1, relaxed);
	return flushed;
}

result<void> storage_handles::flush(open_storage &of, bool &is_first)
{
	auto const flushed = counted_flush(of);
	if (!flushed) {
		of.is_suspect = true;
		is_first = of.target->fail(flushed.failure());
		return flushed.failure();
	}
	of.is_unsynced = false;
	return {};
}

} // namespace ezio
