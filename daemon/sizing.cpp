#include "daemon/sizing.hpp"

#include "actors/core/file_read.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string_view>
#include <thread>

namespace ezio
{

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t blocks_per_mib = mib / block_bytes;
constexpr std::uint64_t auto_dirty_max = 256 * mib;
/// Beyond it, touching pages ahead would delay a quick stop more than it helps.
constexpr std::uint32_t prefault_blocks_max = 4096 * blocks_per_mib;
constexpr std::uint64_t collected_bytes_max = sha_lanes_max * mib;

// Less than 512 KiB, and a fast connection runs dry between two reads; more than 4 MiB only pins memory.
constexpr std::uint64_t send_bytes_min = mib / 2;
constexpr std::uint64_t send_bytes_max = 4 * mib;
constexpr std::uint64_t send_low_bytes_max = mib;

std::uint32_t capacity_of(configuration const &config)
{
	return static_cast<std::uint32_t>(
		static_cast<std::uint64_t>(config.integer("cache-size")) * blocks_per_mib);
}

std::uint64_t read_available_bytes()
{
	constexpr std::size_t meminfo_bytes_max = 64 * 1024;
	constexpr std::string_view key = "MemAvailable:";
	auto const text = read_file("/proc/meminfo", meminfo_bytes_max);
	if (!text)
		return 0;
	auto const found = text->find(key);
	if (found == std::string::npos)
		return 0;
	std::uint64_t kib = 0;
	std::istringstream(text->substr(found + key.size(), 32)) >> kib;
	return kib * 1024;
}

} // namespace

machine machine::here()
{
	machine m;
	m.cores = std::max(1u, std::thread::hardware_concurrency());
	auto const pages = sysconf(_SC_PHYS_PAGES);
	auto const page_bytes = sysconf(_SC_PAGESIZE);
	if (pages > 0 && page_bytes > 0)
		m.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
	m.available_bytes = read_available_bytes();
	return m;
}

hash_sizes hash_sizes_of(configuration const &config, machine const &on)
{
	hash_sizes sizes;
	auto const configured = config.integer_or_auto("hashing-threads");
	sizes.hashers = configured ? static_cast<std::uint32_t>(*configured) : std::max(1u, on.cores - 1);
	sizes.collecting.window = std::chrono::milliseconds(config.integer("collect-delay"));
	sizes.collecting.bytes_max =
		std::min(collected_bytes_max, std::uint64_t{capacity_of(config)} * block_bytes / 8);
	return sizes;
}

disk_budget disk_budget_of(configuration const &config, machine const &on)
{
	disk_budget budget;
	budget.capacity_blocks = capacity_of(config);
	auto const cache_bytes = std::uint64_t{budget.capacity_blocks} * block_bytes;
	auto const dirty = config.integer_or_auto("dirty-limit");
	budget.dirty_bytes =
		dirty ? static_cast<std::uint64_t>(*dirty) * mib : std::min(cache_bytes / 4, auto_dirty_max);
	if (auto const threads = config.integer_or_auto("aio-threads"))
		budget.partitions = static_cast<std::uint32_t>(*threads);
	budget.cores = on.cores;
	budget.limits.coalesce_bytes = static_cast<std::uint32_t>(config.integer("coalesce-size") * 1024);
	budget.limits.coalesce_delay = std::chrono::milliseconds(config.integer("coalesce-delay"));
	budget.limits.prefetch_bytes = static_cast<std::uint32_t>(config.integer("prefetch") * 1024);
	budget.limits.retries.limit = static_cast<std::uint32_t>(config.integer("retry-limit"));
	budget.limits.retries.delay = std::chrono::milliseconds(config.integer("retry-delay"));
	return budget;
}

connection_sizes connection_sizes_of(configuration const &config)
{
	auto const connections = static_cast<std::uint64_t>(config.integer("max-connections"));
	auto const half = std::max<std::uint64_t>(connections / 2, 1);
	auto const capacity = capacity_of(config);
	auto const reserve = block_arena::reserve_of(capacity);
	connection_sizes sizes;
	auto const for_reading = std::uint64_t{capacity - reserve} * block_bytes;
	sizes.send_bytes = std::clamp(for_reading / half, send_bytes_min, send_bytes_max);
	sizes.send_low_bytes = std::min(sizes.send_bytes, send_low_bytes_max);
	// Half of the connections may do so at once, and the kernel keeps twice of what is asked for.
	auto const for_overrun = std::uint64_t{reserve} / 4 * 3 * block_bytes;
	sizes.receive_pool_bytes = std::min(for_overrun, receive_shares::heap_bytes);
	return sizes;
}

std::uint32_t prefault_blocks(configuration const &config, machine const &on)
{
	auto const blocks = std::min(capacity_of(config), prefault_blocks_max);
	if (on.available_bytes == 0)
		return blocks;
	return static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, on.available_bytes / 2 / block_bytes));
}

std::uint32_t arena_blocks_max(configuration const &config, machine const &on)
{
	auto const memory_blocks = std::min<std::uint64_t>(on.memory_bytes / block_bytes, 1u << 30);
	return std::max(capacity_of(config), static_cast<std::uint32_t>(memory_blocks));
}

} // namespace ezio
