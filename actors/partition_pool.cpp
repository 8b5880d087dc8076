#include "actors/partition_pool.hpp"

#include "actors/caf_error.hpp"
#include "actors/disk_partition.hpp"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace ezio
{
namespace
{

class mailbox_port final : public partition_port
{
public:
	mailbox_port(disk_partition_actor partition, std::shared_ptr<partition_stats> stats)
		: m_partition(std::move(partition)), m_stats(std::move(stats))
	{
	}
	void submit(std::vector<job_ptr> jobs) override
	{
		m_stats->queue_depth.fetch_add(jobs.size(), std::memory_order_relaxed);
		auto batch = std::make_shared<job_batch_data>();
		batch->jobs = std::move(jobs);
		// A press that is on its way stands before it.
		m_stats->is_press_on_its_way.store(false);
		caf::anon_send(m_partition, std::move(batch));
	}
	void press() override
	{
		// One for a batch is enough, and a partition that hangs must not collect thousands for each of them.
		if (!m_stats->is_press_on_its_way.exchange(true))
			caf::anon_send(m_partition, flush_atom::value);
	}

private:
	disk_partition_actor m_partition;
	std::shared_ptr<partition_stats> m_stats;
};

/// One partition of a set.
struct member {
	std::uint32_t index = 0;
	std::uint64_t number = 0;
	disk_partition_actor actor;
	std::shared_ptr<partition_stats> stats;
};

partition_ports ports_of(std::vector<member> const &members)
{
	partition_ports ports;
	ports.reserve(members.size());
	for (auto const &one : members)
		ports.push_back(make_partition_port(one.actor, one.stats));
	return ports;
}

} // namespace

std::shared_ptr<partition_port> make_partition_port(
	disk_partition_actor partition, std::shared_ptr<partition_stats> stats)
{
	return std::make_shared<mailbox_port>(std::move(partition), std::move(stats));
}

/// One device and its set of partitions. Held by the storages on the device; the pool only knows it.
class partition_pool::route final : public device_route
{
public:
	route(disk_identity disk, std::shared_ptr<shared> pool, std::uint64_t route_number)
		: device_route(std::move(disk)), owner(std::move(pool)),
		  number(route_number), devices{this->disk().device_number}
	{
	}
	~route() override;

	std::shared_ptr<shared> const owner;
	std::uint64_t const number;
	// Guarded by the owner's mutex.
	std::set<std::uint64_t> devices;   ///< those that share it; more than one only beyond partitions_max
	std::vector<member> members;       ///< as many as the router's ports
	std::uint32_t members_planned = 0; ///< while their number changes, the greater one
};

/// What the pool and its routes work on together: a route can end after everything else.
class partition_pool::shared
{
public:
	using routes = std::vector<std::shared_ptr<route>>;

	shared(caf::actor_system &on, partition_pool_config with, disk_budget initial)
		: system(on), config(std::move(with)), m_budget(std::move(initial))
	{
	}

	std::shared_ptr<device_route> route_for(std::shared_ptr<shared> const &self, disk_identity const &disk);
	void forget(route &gone);
	/// To be dropped without the mutex: the last one to let go of a route ends it.
	routes alive() const;
	pool_numbers numbers() const;
	/// Sends everyone his share.
	void share_out();
	void set_receiving(bool is_receiving);

	std::vector<std::uint32_t> plan(routes const &all, disk_budget const &budget);
	result<void> resize(route &one, std::uint32_t count);
	disk_budget exchange_budget(disk_budget const &with);

	caf::actor_system &system;
	partition_pool_config const config;

private:
	result<void> drain(std::vector<member> const &members, std::uint32_t surviving);
	member spawn_locked(route const &of);
	void retire_locked(std::vector<member> &members, std::size_t surviving, std::vector<member> &retired);
	routes alive_locked() const;

	mutable std::mutex m_mutex; ///< guards what follows and the members of all routes
	disk_budget m_budget;
	bool m_is_receiving = true;
	std::vector<std::weak_ptr<route>> m_routes;
	std::set<std::uint32_t> m_indexes; ///< in use
	std::uint64_t m_last_number = 0;
	std::shared_ptr<partition_stats> m_ended_partitions = std::make_shared<partition_stats>();
	std::shared_ptr<backpressure_stats> m_ended_devices = std::make_shared<backpressure_stats>();
};

partition_pool::route::~route()
{
	owner->forget(*this);
}

partition_pool::shared::routes partition_pool::shared::alive_locked() const
{
	routes all;
	for (auto const &known : m_routes)
		if (auto one = known.lock())
			all.push_back(std::move(one));
	return all;
}

partition_pool::shared::routes partition_pool::shared::alive() const
{
	std::lock_guard const lock(m_mutex);
	return alive_locked();
}

member partition_pool::shared::spawn_locked(route const &of)
{
	member born;
	while (m_indexes.contains(born.index))
		++born.index;
	m_indexes.insert(born.index);
	born.number = ++m_last_number;
	born.stats = std::make_shared<partition_stats>();
	disk_partition_config own;
	own.index = born.index;
	own.arena = config.arena;
	own.hashers = config.hashers;
	own.stats = born.stats;
	own.limits = m_budget.limits;
	born.actor = system.spawn<caf::detached>(disk_partition, own);
	config.on_birth("partition " + std::to_string(born.index) + " of " + of.disk().name, born.actor);
	return born;
}

void partition_pool::shared::retire_locked(
	std::vector<member> &members, std::size_t surviving, std::vector<member> &retired)
{
	while (members.size() > surviving) {
		m_indexes.erase(members.back().index);
		add_counters(*m_ended_partitions, *members.back().stats);
		retired.push_back(std::move(members.back()));
		members.pop_back();
	}
}

std::shared_ptr<device_route> partition_pool::shared::route_for(
	std::shared_ptr<shared> const &self, disk_identity const &disk)
{
	routes all;
	std::shared_ptr<route> found;
	{
		std::lock_guard const lock(m_mutex);
		all = alive_locked();
		std::uint32_t threads = 0;
		for (auto const &one : all) {
			if (one->devices.contains(disk.device_number))
				return one;
			threads += one->members_planned;
		}
		if (threads >= partitions_max) {
			found = *std::min_element(all.begin(), all.end(),
				[](auto const &a, auto const &b) { return a->devices.size() < b->devices.size(); });
			found->devices.insert(disk.device_number);
			return found;
		}
		found = std::make_shared<route>(disk, self, ++m_last_number);
		auto const wanted = partitions_for(m_budget, disk.kind, static_cast<std::uint32_t>(all.size()) + 1);
		found->members_planned = std::min(wanted, partitions_max - threads);
		for (std::uint32_t i = 0; i < found->members_planned; ++i)
			found->members.push_back(spawn_locked(*found));
		found->router().hold();
		found->router().release(ports_of(found->members));
		m_routes.push_back(found);
	}
	share_out();
	return found;
}

void partition_pool::shared::forget(route &gone)
{
	std::vector<member> retired;
	{
		std::lock_guard const lock(m_mutex);
		std::erase_if(m_routes, [](auto const &known) { return known.expired(); });
		retire_locked(gone.members, 0, retired);
		auto const counted = gone.dirty().stats();
		m_ended_devices->count += counted->count;
		m_ended_devices->waited.add(counted->waited.total_ns(monotonic_clock::now()));
		m_ended_devices->refused += counted->refused;
	}
	for (auto const &one : retired)
		config.on_retirement(one.actor);
	share_out();
}

void partition_pool::shared::share_out()
{
	routes all;
	std::lock_guard const lock(m_mutex);
	all = alive_locked();
	std::uint32_t partitions = 0;
	for (auto const &one : all)
		partitions += static_cast<std::uint32_t>(one->members.size());
	auto const share = share_of(m_budget, static_cast<std::uint32_t>(all.size()), partitions, m_is_receiving);
	for (auto const &one : all) {
		one->dirty().set_ceiling(share.dirty_bytes);
		for (auto const &partition : one->members)
			caf::anon_send(partition.actor, limits_atom::value, share.limits);
	}
}

void partition_pool::shared::set_receiving(bool is_receiving)
{
	{
		std::lock_guard const lock(m_mutex);
		if (std::exchange(m_is_receiving, is_receiving) == is_receiving)
			return;
		// Reading leaves the reserve alone from here on; the caches follow with their shares.
		config.arena->set_receiving(is_receiving);
	}
	share_out();
}

disk_budget partition_pool::shared::exchange_budget(disk_budget const &with)
{
	std::lock_guard const lock(m_mutex);
	return std::exchange(m_budget, with);
}

/// How many partitions each route is to have.
std::vector<std::uint32_t> partition_pool::shared::plan(routes const &all, disk_budget const &budget)
{
	std::lock_guard const lock(m_mutex);
	auto const devices = static_cast<std::uint32_t>(all.size());
	std::vector<std::uint32_t> counts;
	// One for each is taken for granted.
	auto left = partitions_max - std::min(partitions_max, devices);
	for (auto const &one : all) {
		auto const more = std::min(partitions_for(budget, one->disk().kind, devices) - 1, left);
		left -= more;
		counts.push_back(1 + more);
		one->members_planned = std::max(1 + more, static_cast<std::uint32_t>(one->members.size()));
	}
	return counts;
}

/// Every partition, those beyond @p surviving with their handles. Returns the first failure.
result<void> partition_pool::shared::drain(std::vector<member> const &members, std::uint32_t surviving)
{
	std::optional<error> failure;
	caf::scoped_actor self{system};
	// All at once: each writes to its own part of the device.
	std::vector<decltype(self->request(members[0].actor, caf::infinite, drain_atom::value, drain_request{}))>
		answers;
	answers.reserve(members.size());
	for (std::uint32_t i = 0; i < members.size(); ++i)
		answers.push_back(self->request(
			members[i].actor, config.drain_time, drain_atom::value, drain_request{i >= surviving}));
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
			[&](caf::error const &e) {
				keep_first(from_caf(e, "partition " + std::to_string(members[i].index)));
			});
	}
	if (failure)
		return *std::move(failure);
	return {};
}

/// One thread at a time for each route.
result<void> partition_pool::shared::resize(route &one, std::uint32_t count)
{
	// Only this thread changes the members, and a route that is held by its caller does not end.
	auto const before = static_cast<std::uint32_t>(one.members.size());
	auto const settle = [this, &one] {
		std::lock_guard const lock(m_mutex);
		one.members_planned = static_cast<std::uint32_t>(one.members.size());
	};
	if (count == before) {
		settle();
		return {};
	}
	one.router().hold();
	if (auto const drained = drain(one.members, count); !drained) {
		for (auto const &partition : one.members)
			caf::anon_send(partition.actor, resume_atom::value);
		one.router().release();
		settle();
		auto e = drained.failure();
		e.message = one.disk().name + " keeps " + std::to_string(before) +
			" partitions, since what they were doing did not end: " + e.message;
		return e;
	}
	std::vector<member> retired;
	{
		std::lock_guard const lock(m_mutex);
		retire_locked(one.members, count, retired);
		while (one.members.size() < count)
			one.members.push_back(spawn_locked(one));
	}
	// Before they get jobs: other devices may take long to follow, and what new ones begin with is no share.
	share_out();
	one.router().release(ports_of(one.members));
	for (auto const &partition : retired)
		config.on_retirement(partition.actor);
	settle();
	return {};
}

pool_numbers partition_pool::shared::numbers() const
{
	routes all;
	std::lock_guard const lock(m_mutex);
	all = alive_locked();
	pool_numbers now;
	now.ended_partitions = m_ended_partitions;
	now.ended_devices = m_ended_devices;
	for (auto const &one : all) {
		now.devices.push_back({one->number, one->disk().name, one->disk().kind,
			static_cast<std::uint32_t>(one->members.size()), one->dirty().stats()});
		for (auto const &partition : one->members)
			now.partitions.push_back({partition.index, partition.number, one->number, partition.stats});
	}
	std::sort(now.partitions.begin(), now.partitions.end(),
		[](auto const &a, auto const &b) { return a.index < b.index; });
	return now;
}

partition_pool::partition_pool(caf::actor_system &system, partition_pool_config config, disk_budget budget)
	: m_shared(std::make_shared<shared>(system, std::move(config), std::move(budget)))
{
}

partition_pool::~partition_pool() = default;

std::shared_ptr<device_route> partition_pool::route_for(disk_identity const &disk)
{
	return m_shared->route_for(m_shared, disk);
}

void partition_pool::set_receiving(bool is_receiving)
{
	m_shared->set_receiving(is_receiving);
}

partition_change partition_pool::resize(disk_budget const &budget)
{
	// In this order: a device that comes meanwhile has the new number, or is among them.
	auto const before = m_shared->exchange_budget(budget);
	auto const all = m_shared->alive();
	auto const counts = m_shared->plan(all, budget);
	// Each by itself: one that hangs must not keep the jobs of the others waiting.
	std::vector<result<void>> outcomes(all.size());
	std::vector<std::thread> workers;
	workers.reserve(all.size());
	for (std::size_t i = 0; i < all.size(); ++i)
		workers.emplace_back([&, i] { outcomes[i] = m_shared->resize(*all[i], counts[i]); });
	for (auto &worker : workers)
		worker.join();
	partition_change change;
	change.is_in_force = all.empty();
	for (auto const &outcome : outcomes) {
		change.is_in_force = change.is_in_force || outcome.has_value();
		if (!outcome && !change.failure)
			change.failure = outcome.failure();
	}
	if (!change.is_in_force)
		m_shared->exchange_budget(before);
	m_shared->share_out();
	return change;
}

void partition_pool::set_budget(disk_budget const &budget)
{
	m_shared->exchange_budget(budget);
	m_shared->share_out();
}

pool_numbers partition_pool::numbers() const
{
	return m_shared->numbers();
}

} // namespace ezio
