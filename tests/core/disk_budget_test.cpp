#include "actors/core/disk_budget.hpp"

#include "actors/core/block_arena.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

constexpr std::uint32_t blocks_per_mib = 1024 * 1024 / block_bytes;

disk_budget budget_of(std::uint32_t cache_mib, std::uint64_t dirty_mib, std::uint32_t cores = 1)
{
	disk_budget budget;
	budget.capacity_blocks = cache_mib * blocks_per_mib;
	budget.dirty_bytes = dirty_mib * 1024 * 1024;
	budget.cores = cores;
	return budget;
}

} // namespace

TEST_CASE("auto goes by the kind of the device and the cores")
{
	auto const count = [](disk_kind kind, std::uint32_t cores) {
		return partitions_for(budget_of(512, 128, cores), kind, 1);
	};
	CHECK(count(disk_kind::rotational, 16) == 2);
	CHECK(count(disk_kind::solid, 16) == 4);
	CHECK(count(disk_kind::solid, 3) == 2);
	CHECK(count(disk_kind::solid, 2) == 1);
	CHECK(count(disk_kind::unknown, 1) == 1);
	CHECK(count(disk_kind::nvme, 1) == 2);
	CHECK(count(disk_kind::nvme, 6) == 6);
	CHECK(count(disk_kind::nvme, 64) == 8);
}

TEST_CASE("auto leaves each partition 16 MiB of the cache, and a device one partition at least")
{
	auto const budget = budget_of(64, 16, 64);
	CHECK(partitions_for(budget, disk_kind::nvme, 1) == 4);
	CHECK(partitions_for(budget, disk_kind::nvme, 2) == 2);
	CHECK(partitions_for(budget, disk_kind::nvme, 9) == 1);
}

TEST_CASE("what the operator chose holds for every device")
{
	auto budget = budget_of(64, 16);
	budget.partitions = 16;
	CHECK(partitions_for(budget, disk_kind::rotational, 1) == 16);
	CHECK(partitions_for(budget, disk_kind::nvme, 9) == 16);
}

TEST_CASE("caches and what is under way together stay within the budget, however it is divided")
{
	for (std::uint32_t const cache_mib : {16u, 64u, 512u, 4096u}) {
		for (std::uint64_t const dirty_mib : {4u, 16u, 128u, 4096u}) {
			for (std::uint32_t const devices : {1u, 2u, 7u, 40u}) {
				for (std::uint32_t const partitions : {devices, 2 * devices, 128u}) {
					auto const budget = budget_of(cache_mib, dirty_mib);
					auto const share = share_of(budget, devices, partitions);
					CAPTURE(cache_mib, dirty_mib, devices, partitions);
					auto const caches = std::uint64_t{share.limits.cache_blocks_max} * partitions;
					CHECK(share.dirty_bytes * devices <= budget.dirty_bytes);
					// However much may be under way, half of what reading may take remains for the caches.
					auto const reading =
						budget.capacity_blocks - block_arena::reserve_of(budget.capacity_blocks);
					CHECK(caches <= reading);
					CHECK(caches + partitions >= reading / 2);
					if (budget.dirty_bytes / block_bytes <= reading / 2)
						CHECK(caches + share.dirty_bytes * devices / block_bytes <= reading);
				}
			}
		}
	}
}

TEST_CASE("where nothing is received the caches have all of the budget but a small rest")
{
	for (std::uint32_t const cache_mib : {64u, 512u, 4096u}) {
		for (std::uint32_t const partitions : {1u, 2u, 128u}) {
			CAPTURE(cache_mib, partitions);
			auto const budget = budget_of(cache_mib, cache_mib / 4);
			auto const idle = share_of(budget, 1, partitions, false);
			auto const caches = std::uint64_t{idle.limits.cache_blocks_max} * partitions;
			CHECK(caches + partitions > budget.capacity_blocks / 8 * 7);
			CHECK(caches + budget.capacity_blocks / 16 <=
				budget.capacity_blocks - block_arena::idle_reserve_of(budget.capacity_blocks));
			// What is dirty is bound by the same mark from the first block on.
			CHECK(idle.dirty_bytes == share_of(budget, 1, partitions).dirty_bytes);
		}
	}
}

TEST_CASE("the rest of the limits is everyone's alike")
{
	auto budget = budget_of(512, 128);
	budget.limits.coalesce_bytes = 7;
	budget.limits.prefetch_bytes = 9;
	auto const share = share_of(budget, 3, 12);
	CHECK(share.limits.coalesce_bytes == 7);
	CHECK(share.limits.prefetch_bytes == 9);
}
