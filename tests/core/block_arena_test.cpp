#include "actors/core/block_arena.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace ezio;

namespace
{

std::unique_ptr<block_arena> made(std::uint32_t capacity, std::uint32_t blocks_max)
{
	auto arena = block_arena::create(capacity, blocks_max);
	REQUIRE(arena.has_value());
	return std::move(arena).value();
}

std::vector<block_ref> all_of(block_arena &arena, block_purpose purpose)
{
	std::vector<block_ref> blocks;
	while (auto block = arena.allocate(purpose))
		blocks.push_back(std::move(block));
	return blocks;
}

/// Pages of the block that are in memory now.
std::size_t resident_pages(block_ref const &block)
{
	std::array<unsigned char, block_bytes / 4096> pages{};
	REQUIRE(::mincore(block.data(), block_bytes, pages.data()) == 0);
	return static_cast<std::size_t>(
		std::count_if(pages.begin(), pages.end(), [](unsigned char c) { return (c & 1) != 0; }));
}

/// May the kernel back the address with a huge page?
bool has_huge_pages(void const *address)
{
	std::ifstream maps("/proc/self/smaps");
	auto const wanted = reinterpret_cast<std::uintptr_t>(address);
	bool is_inside = false;
	for (std::string line; std::getline(maps, line);) {
		std::uintptr_t first = 0;
		std::uintptr_t end = 0;
		if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2)
			is_inside = first <= wanted && wanted < end;
		else if (is_inside && line.starts_with("VmFlags:"))
			return line.find(" hg") != std::string::npos;
	}
	FAIL("no mapping of that address");
	return false;
}

std::size_t resident_kib()
{
	std::ifstream statm("/proc/self/statm");
	std::size_t total = 0;
	std::size_t resident = 0;
	REQUIRE(statm >> total >> resident);
	return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

} // namespace

TEST_CASE("blocks are page-aligned, distinct and returned when the last reference goes")
{
	auto const arena = made(8, 8);
	auto a = arena->allocate(block_purpose::receive);
	auto b = arena->allocate(block_purpose::receive);
	REQUIRE(a);
	REQUIRE(b);
	CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 4096 == 0);
	CHECK(std::abs(a.data() - b.data()) >= static_cast<std::ptrdiff_t>(block_bytes));
	CHECK(arena->used_blocks() == 2);
	auto copy = a;
	CHECK(a.use_count() == 2);
	a = {};
	CHECK(arena->used_blocks() == 2);
	copy = {};
	CHECK(arena->used_blocks() == 1);
	b = std::move(b);
	CHECK(b);
}

TEST_CASE("receiving may take the last block, reading leaves the reserve")
{
	auto const arena = made(1024, 1024);
	CHECK(arena->reserve_blocks() == 256);
	auto const read = all_of(*arena, block_purpose::read);
	CHECK(read.size() == 1024 - 256);
	auto const received = all_of(*arena, block_purpose::receive);
	CHECK(received.size() == 256);
	CHECK(arena->used_blocks() == arena->capacity_blocks());
}

TEST_CASE("while nothing is received reading has most of the reserve, and gives it back")
{
	auto const arena = made(1024, 1024);
	arena->set_receiving(false);
	CHECK(arena->reserve_blocks() == 64);
	auto read = all_of(*arena, block_purpose::read);
	CHECK(read.size() == 1024 - 64);
	arena->set_receiving(true);
	CHECK(arena->reserve_blocks() == 256);
	// The first blocks of a transfer find room before anything is given back.
	auto received = all_of(*arena, block_purpose::receive);
	CHECK(received.size() == 64);
	read.resize(1024 - 256);
	CHECK_FALSE(arena->allocate(block_purpose::read));
	CHECK(all_of(*arena, block_purpose::receive).size() == 192);
}

TEST_CASE("the reserve of a small budget is half of it, so that reads are possible")
{
	CHECK(made(256, 256)->reserve_blocks() == 64);
	CHECK(made(64, 64)->reserve_blocks() == 32);
	auto const arena = made(2, 2);
	CHECK(all_of(*arena, block_purpose::read).size() == 1);
}

TEST_CASE("the reserve is a quarter of a small budget and an eighth of a large one")
{
	constexpr std::uint32_t mib = 1024 * 1024 / block_bytes;
	CHECK(block_arena::reserve_of(64 * mib) == 16 * mib);
	CHECK(block_arena::reserve_of(128 * mib) == 32 * mib);
	CHECK(block_arena::reserve_of(256 * mib) == 32 * mib);
	CHECK(block_arena::reserve_of(512 * mib) == 64 * mib);
}

TEST_CASE("a detached block counts until its pointer, or one into it, is released")
{
	auto const arena = made(4, 4);
	auto block = arena->allocate(block_purpose::receive);
	auto *const pointer = block.detach();
	CHECK_FALSE(block);
	CHECK(arena->used_blocks() == 1);
	CHECK(arena->owns(pointer));
	CHECK(arena->owns(pointer + block_bytes - 1));
	std::byte elsewhere{};
	CHECK_FALSE(arena->owns(&elsewhere));
	arena->release_pointer(pointer + 77);
	CHECK(arena->used_blocks() == 0);
}

TEST_CASE("growing is immediate and bounded by the reserved range")
{
	auto const arena = made(2, 4);
	auto blocks = all_of(*arena, block_purpose::receive);
	CHECK(blocks.size() == 2);
	arena->set_capacity(100);
	CHECK(arena->capacity_blocks() == 4);
	auto const more = all_of(*arena, block_purpose::receive);
	CHECK(more.size() == 2);
}

TEST_CASE("shrinking gives memory back, at once if free and else as blocks fall free")
{
	auto const arena = made(64, 64);
	auto blocks = all_of(*arena, block_purpose::receive);
	for (auto &block : blocks)
		std::memset(block.data(), 1, block_bytes);
	auto kept = blocks.back();
	auto *const kept_bytes = kept.data();
	blocks.resize(32);
	arena->set_capacity(16);
	CHECK_FALSE(arena->allocate(block_purpose::read));
	blocks.clear();
	CHECK(arena->used_blocks() == 1);
	CHECK(kept_bytes[0] == std::byte{1});

	// What was given back reads as zeros when it is used again.
	arena->set_capacity(64);
	auto const again = all_of(*arena, block_purpose::receive);
	CHECK(again.size() == 63);
	auto const zeroed = std::count_if(again.begin(), again.end(),
		[](block_ref const &b) { return b.data()[block_bytes - 1] == std::byte{0}; });
	CHECK(zeroed == 64 - 16);
}

TEST_CASE("after shrinking, what peers have under way still lands, and ever less of it")
{
	auto const arena = made(4096, 4096);
	auto blocks = all_of(*arena, block_purpose::receive);
	blocks.resize(2048);
	arena->set_capacity(1024);
	auto late = all_of(*arena, block_purpose::receive);
	CHECK(late.size() == 256); // the reserve of the new capacity
	CHECK_FALSE(arena->allocate(block_purpose::read));
	// What has come down does not go up again.
	late.clear();
	blocks.resize(1500);
	late = all_of(*arena, block_purpose::receive);
	CHECK(late.size() == 256);
	late.clear();
	blocks.resize(1024);
	CHECK_FALSE(arena->allocate(block_purpose::receive));
	blocks.resize(1000);
	CHECK(all_of(*arena, block_purpose::receive).size() == 24);
	CHECK_FALSE(arena->allocate(block_purpose::read));
}

TEST_CASE("what was given back stays given back: huge pages are off until all that was used fits again")
{
	if (::access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0) {
		WARN("skipped: this kernel has no huge pages");
		return;
	}
	auto const arena = made(1024, 4096);
	auto blocks = all_of(*arena, block_purpose::receive);
	auto const *const inside = blocks.front().data();
	blocks.clear();
	CHECK(has_huge_pages(inside));
	arena->set_capacity(512);
	CHECK_FALSE(has_huge_pages(inside));
	arena->set_capacity(1023);
	CHECK_FALSE(has_huge_pages(inside));
	arena->set_capacity(1024);
	CHECK(has_huge_pages(inside));
}

TEST_CASE("an arena as large as a machine costs no memory before it is used")
{
	auto const before = resident_kib();
	auto const arena = made(4096, 1U << 26);
	CHECK(resident_kib() < before + 1024);
}

TEST_CASE("prefaulted blocks are in memory before their first use")
{
	auto const arena = made(256, 256);
	arena->prefault(200);
	CHECK(arena->used_blocks() == 0);
	auto const block = arena->allocate(block_purpose::receive);
	CHECK(resident_pages(block) == block_bytes / 4096);
	auto const rest = all_of(*arena, block_purpose::receive);
	CHECK(rest.size() == 255);
}

TEST_CASE("prefaulting never goes beyond the capacity")
{
	auto const arena = made(16, 4096);
	arena->prefault(4096);
	arena->set_capacity(4096);
	auto const blocks = all_of(*arena, block_purpose::receive);
	CHECK(blocks.size() == 4096);
	CHECK(resident_pages(blocks.back()) == 0);
}

TEST_CASE("an arena of no blocks is refused")
{
	auto const arena = block_arena::create(0, 0);
	REQUIRE_FALSE(arena.has_value());
	CHECK(arena.failure().code == errc::invalid_argument);
}

TEST_CASE("an arena that the system cannot map is an error with its errno")
{
	rlimit before{};
	REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
	auto tight = before;
	tight.rlim_cur = 16 * 1024 * 1024;
	REQUIRE(::setrlimit(RLIMIT_AS, &tight) == 0);
	auto const arena = block_arena::create(1, 65536);
	REQUIRE(::setrlimit(RLIMIT_AS, &before) == 0);
	REQUIRE_FALSE(arena.has_value());
	CHECK(arena.failure().code == errc::no_memory);
	CHECK(arena.failure().operation == "mmap");
	CHECK(arena.failure().os_errno == ENOMEM);
}

TEST_CASE("threads that allocate, share, release and resize never exceed the capacity")
{
	auto const arena = made(64, 128);
	std::atomic<bool> has_exceeded{false};
	std::atomic<bool> is_torn{false};
	auto const work = [&](unsigned seed) {
		std::vector<block_ref> mine;
		for (unsigned i = 0; i < 3000; ++i) {
			if (auto block = arena->allocate(i % 3 == 0 ? block_purpose::read : block_purpose::receive)) {
				std::memset(block.data(), static_cast<int>(seed), 64);
				mine.push_back(block);
			}
			if (arena->used_blocks() > 128)
				has_exceeded = true;
			if (mine.size() > 20) {
				for (auto const &block : mine) {
					if (block.data()[63] != static_cast<std::byte>(seed))
						is_torn = true;
				}
				mine.clear();
			}
		}
	};
	std::vector<std::thread> threads;
	for (unsigned seed = 1; seed <= 3; ++seed)
		threads.emplace_back(work, seed);
	for (unsigned i = 0; i < 200; ++i) {
		arena->set_capacity(i % 2 == 0 ? 16 : 128);
		arena->prefault(4);
	}
	for (auto &thread : threads)
		thread.join();
	CHECK_FALSE(has_exceeded);
	CHECK_FALSE(is_torn);
	CHECK(arena->used_blocks() == 0);
	arena->set_capacity(128);
	CHECK(all_of(*arena, block_purpose::receive).size() == 128);
}
