#include "actors/partition_pool.hpp"

#include "tests/support/recording_sink.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;

disk_identity disk(std::uint64_t number, disk_kind kind = disk_kind::unknown)
{
	return {number, "/dev/fake" + std::to_string(number), kind};
}

/// A pool whose partitions are threads, as in the daemon.
struct pool_bench {
	pool_bench() : pool(system, config(), budget()) {}
	~pool_bench()
	{
		caf::scoped_actor self{system};
		for (auto const &partition : born)
			self->request(partition, caf::infinite, stop_atom::value)
				.receive([](void_reply const &) {}, [](caf::error const &) {}); // it may have ended before
	}
	partition_pool_config config()
	{
		partition_pool_config own;
		own.arena = arena.get();
		own.hashers = &hashers;
		own.on_birth = [this](std::string const &name, disk_partition_actor const &partition) {
			born.push_back(partition);
			names.push_back(name);
		};
		own.on_retirement = [this](disk_partition_actor const &partition) {
			++retired;
			caf::anon_send(partition, stop_atom::value);
		};
		return own;
	}
	static disk_budget budget(std::optional<std::uint32_t> partitions = std::nullopt)
	{
		disk_budget budget;
		budget.capacity_blocks = 512 * mib / block_bytes;
		budget.dirty_bytes = 12 * mib;
		budget.cores = 8;
		budget.partitions = partitions;
		return budget;
	}
	static std::uint64_t mark(device_route &route)
	{
		route.dirty().measure(monotonic_clock::now());
		return route.dirty().mark_bytes();
	}

	caf::actor_system_config system_config;
	caf::actor_system system{system_config};
	std::unique_ptr<block_arena> arena = std::move(block_arena::create(2048, 2048)).value();
	inline_hash_dispatcher hashers;
	std::vector<disk_partition_actor> born;
	std::vector<std::string> names;
	std::size_t retired = 0;
	partition_pool pool;
};

} // namespace

TEST_CASE_METHOD(
	pool_bench, "each device has a set of partitions of its kind's number, as long as it is held")
{
	CHECK(pool.numbers().partitions.empty());
	auto first = pool.route_for(disk(1));
	auto const second = pool.route_for(disk(2, disk_kind::rotational));
	CHECK(pool.route_for(disk(1)) == first);
	CHECK(first != second);
	CHECK(first->router().partitions() == 4);
	CHECK(second->router().partitions() == 2);
	CHECK(names.back() == "partition 5 of /dev/fake2");
	first.reset();
	CHECK(retired == 4);
	auto const numbers = pool.numbers();
	REQUIRE(numbers.devices.size() == 1);
	CHECK(numbers.devices[0].name == "/dev/fake2");
	// What is free is given again, under another number.
	auto const third = pool.route_for(disk(3));
	CHECK(names.back() == "partition 3 of /dev/fake3");
	CHECK(pool.numbers().partitions[0].number > numbers.partitions.back().number);
}

TEST_CASE_METHOD(pool_bench, "devices share what may be dirty, anew whenever one comes or goes")
{
	auto const first = pool.route_for(disk(1));
	CHECK(mark(*first) == 12 * mib);
	auto second = pool.route_for(disk(2));
	auto third = pool.route_for(disk(3));
	CHECK(mark(*first) == 4 * mib);
	CHECK(mark(*third) == 4 * mib);
	third.reset();
	CHECK(mark(*second) == 6 * mib);
	second.reset();
	CHECK(mark(*first) == 12 * mib);
	auto less = budget();
	less.dirty_bytes = 5 * mib;
	pool.set_budget(less);
	CHECK(mark(*first) == 5 * mib);
}

TEST_CASE_METHOD(pool_bench, "there are never more partitions than the limit: then devices share a set")
{
	auto const changed = pool.resize(budget(partitions_max - 2));
	CHECK(changed.is_in_force);
	CHECK_FALSE(changed.failure);
	auto const first = pool.route_for(disk(1));
	auto const second = pool.route_for(disk(2));
	CHECK(first->router().partitions() == partitions_max - 2);
	CHECK(second->router().partitions() == 2);
	auto const third = pool.route_for(disk(3));
	CHECK((third == first || third == second));
	auto const fourth = pool.route_for(disk(4));
	CHECK(fourth != third);
	CHECK((fourth == first || fourth == second));
	CHECK(pool.numbers().partitions.size() == partitions_max);
	// With fewer for each, one that comes has room again.
	CHECK_FALSE(pool.resize(budget(3)).failure);
	CHECK(first->router().partitions() == 3);
	CHECK(second->router().partitions() == 3);
	CHECK(pool.route_for(disk(3)) == third);
	CHECK(pool.route_for(disk(5))->router().partitions() == 3);
}

TEST_CASE_METHOD(pool_bench, "a change that would be too much for all is as much as there is")
{
	auto const first = pool.route_for(disk(1));
	auto const second = pool.route_for(disk(2));
	auto const third = pool.route_for(disk(3));
	CHECK_FALSE(pool.resize(budget(64)).failure);
	CHECK(first->router().partitions() == 64);
	CHECK(second->router().partitions() == 63);
	CHECK(third->router().partitions() == 1);
	CHECK(pool.numbers().partitions.size() == partitions_max);
}

TEST_CASE_METHOD(pool_bench, "caches have the room of receiving while nothing is received")
{
	auto const receiving = arena->reserve_blocks();
	pool.set_receiving(false);
	auto const idle = arena->reserve_blocks();
	CHECK(idle < receiving);
	pool.set_receiving(true);
	CHECK(arena->reserve_blocks() == receiving);
}
