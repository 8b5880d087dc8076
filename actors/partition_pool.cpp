#include "actors/partition_pool.hpp"

#include "actors/caf_error.hpp"
#include "actors/disk_partition.hpp"

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace ezio
{
namespace
{

class mailbox_port final : public partition_port
{
public:
	explicit mailbox_port(disk_partition_actor partition) : m_partition(std::move(partition)) {}
	void submit(std::vector<job_ptr> jobs) override
	{
		auto batch = std::make_shared<job_batch_data>();
		batch->jobs = std::move(jobs);
		caf::anon_send(m_partition, std::move(batch));
	}
	void press() override { caf::anon_send(m_partition, flush_atom::value); }

private:
	disk_partition_actor m_partition;
};

} // namespace

std::shared_ptr<partition_port> make_partition_port(disk_partition_actor partition)
{
	return std::make_shared<mailbox_port>(std::move(partition));
}

partition_pool::partition_pool(caf::actor_system &system, partition_pool_config config)
	: m_system(system), m_config(std::move(config))
{
}

disk_partition_actor partition_pool::spawn(std::uint32_t index, engine_limits limits)
{
	disk_partition_config own;
	own.index = index;
	own.arena = m_config.arena;
	own.hashers = m_config.hashers;
	own.stats = m_counters[index].get();
	own.limits = limits;
	auto partition = m_system.spawn<caf::detached>(disk_partition, own);
	m_config.on_birth(index, partition);
	return partition;
}

/// Every partition, those beyond @p surviving with their handles. Returns the first failure.
result<void> partition_pool::drain(std::uint32_t surviving)
{
	std::optional<error> failure;
	caf::scoped_actor self{m_system};
	// All at once: each writes to its own part of the devices.
	std::vector<decltype(self->request(m_partitions[0], caf::infinite, drain_atom::value, drain_request{}))>
		answers;
	answers.reserve(m_partitions.size());
	for (std::uint32_t i = 0; i < m_partitions.size(); ++i)
		answers.push_back(self->request(
			m_partitions[i], m_config.drain_time, drain_atom::value, drain_request{i >= surviving}));
	for (std::uint32_t i = 0; i < answers.size(); ++i) {
		auto const keep_first = [&failure](error e) {
			if (!failure)
				failure = std::move(e);
		};
		answers[i].receive(
			[&](void_reply const &reply) {
				if (!reply)
					keep_first(reply.failure());
			},
			[&](caf::error const &e) { keep_first(from_caf(e, "partition " + std::to_string(i))); });
	}
	if (failure)
		return *std::move(failure);
	return {};
}

result<void> partition_pool::resize(std::uint32_t count, engine_limits limits)
{
	assert(count > 0);
	auto const before = size();
	if (count == before) {
		set_limits(limits);
		return {};
	}
	m_router.hold();
	if (auto const drained = drain(count); !drained) {
		for (auto const &partition : m_partitions)
			caf::anon_send(partition, resume_atom::value);
		m_router.release();
		auto e = drained.failure();
		e.message = "the number of partitions stays " + std::to_string(before) +
			", since what they were doing did not end: " + e.message;
		return e;
	}
	std::vector<disk_partition_actor> retired;
	{
		std::lock_guard const lock(m_mutex);
		while (m_counters.size() < count)
			m_counters.push_back(std::make_shared<partition_stats>());
		while (m_partitions.size() > count) {
			retired.push_back(std::move(m_partitions.back()));
			m_partitions.pop_back();
		}
		for (auto index = before; index < count; ++index)
			m_partitions.push_back(spawn(index, limits));
	}
	set_limits(limits);
	partition_ports ports;
	ports.reserve(count);
	for (auto const &partition : m_partitions)
		ports.push_back(make_partition_port(partition));
	m_router.release(std::move(ports));
	for (auto const &partition : retired)
		m_config.on_retirement(partition);
	return {};
}

void partition_pool::set_limits(engine_limits limits)
{
	for (auto const &partition : m_partitions)
		caf::anon_send(partition, limits_atom::value, limits);
}

std::uint32_t partition_pool::size() const
{
	std::lock_guard const lock(m_mutex);
	return static_cast<std::uint32_t>(m_partitions.size());
}

partition_numbers partition_pool::numbers() const
{
	std::lock_guard const lock(m_mutex);
	partition_numbers now;
	for (std::size_t i = 0; i < m_counters.size(); ++i)
		(i < m_partitions.size() ? now.active : now.ended).push_back(m_counters[i]);
	return now;
}

} // namespace ezio
