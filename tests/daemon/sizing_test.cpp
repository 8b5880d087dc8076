#include "daemon/sizing.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace ezio;

namespace
{

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

configuration with(std::uint64_t cache_mib, std::uint64_t connections)
{
	configuration config;
	REQUIRE(config.set("cache-size", std::to_string(cache_mib)));
	REQUIRE(config.set("max-connections", std::to_string(connections)));
	return config;
}

} // namespace

TEST_CASE("half of the connections may stop taking what is sent and the others still find blocks")
{
	for (std::uint64_t const cache : {128, 256, 512, 2048}) {
		for (std::uint64_t const connections : {2, 50, 100}) {
			CAPTURE(cache, connections);
			auto const config = with(cache, connections);
			auto const capacity = disk_budget_of(config, {}).capacity_blocks;
			auto const for_reading =
				std::uint64_t{capacity - block_arena::reserve_of(capacity)} * block_bytes;
			auto const sizes = connection_sizes_of(config);
			CHECK(sizes.send_bytes * (connections / 2) <= for_reading);
			CHECK(sizes.send_bytes <= 4 * mib);
			CHECK(sizes.send_low_bytes <= sizes.send_bytes);
		}
	}
	// The smallest cache with the default of connections: not half of them, but 96.
	CHECK(connection_sizes_of(with(64, 200)).send_bytes == 512 * kib);
	CHECK(connection_sizes_of(with(512, 200)).send_bytes == 4 * mib);
}

TEST_CASE("what connections hand over after they were told to wait finds room in the reserve")
{
	for (std::uint64_t const cache : {64, 128, 512, 2048}) {
		auto const config = with(cache, 200);
		auto const reserve =
			std::uint64_t{block_arena::reserve_of(disk_budget_of(config, {}).capacity_blocks)};
		auto const pool = connection_sizes_of(config).receive_pool_bytes;
		CHECK(pool <= receive_shares::heap_bytes);
		for (std::size_t connections = 2; connections <= 1000; ++connections) {
			auto const share = receive_shares::share_of(pool, connections);
			CAPTURE(cache, connections, share);
			// The kernel keeps twice of what is asked for; the smallest cache gives a share that is cheap in
			// any case.
			bool const fits = 2 * share * (connections / 2) <= reserve / 4 * 3 * block_bytes;
			REQUIRE((fits || (cache == 64 && share <= receive_shares::share_cheap_bytes)));
		}
	}
	CHECK(connection_sizes_of(with(64, 200)).receive_pool_bytes == 12 * mib);
	CHECK(connection_sizes_of(with(512, 200)).receive_pool_bytes == 16 * mib);
}

TEST_CASE("no more of the cache is touched ahead than half of what is available")
{
	auto const blocks_per_mib = static_cast<std::uint32_t>(mib / block_bytes);
	machine on;
	CHECK(prefault_blocks(with(512, 200), on) == 512 * blocks_per_mib);
	on.available_bytes = 800 * mib;
	CHECK(prefault_blocks(with(512, 200), on) == 400 * blocks_per_mib);
	CHECK(prefault_blocks(with(64, 200), on) == 64 * blocks_per_mib);
	on.available_bytes = 64 * 1024 * mib;
	CHECK(prefault_blocks(with(8192, 200), on) == 4096 * blocks_per_mib);
	CHECK(machine::here().available_bytes > 0);
	CHECK(machine::here().available_bytes <= machine::here().memory_bytes);
}
