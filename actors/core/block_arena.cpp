#include "actors/core/block_arena.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <span>

#include <sys/mman.h>

namespace ezio
{
namespace
{

constexpr std::size_t huge_page_bytes = 2 * 1024 * 1024;
constexpr std::size_t page_bytes = 4096;
/// Blocks taken out of the free lists at once while they are prefaulted: one huge page.
constexpr std::uint32_t prefault_chunk_blocks = huge_page_bytes / block_bytes;
constexpr std::uint32_t reserve_min_blocks = 64;
constexpr std::uint32_t reserve_quarter_max_blocks = 32 * 1024 * 1024 / block_bytes;

std::size_t round_up(std::size_t bytes)
{
	return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
}

/// Calls visit(first, count) for each row of consecutive numbers; sorts the numbers.
template <class Visitor>
void for_each_row(std::span<std::uint32_t> indices, Visitor &&visit)
{
	std::sort(indices.begin(), indices.end());
	for (std::size_t i = 0; i < indices.size();) {
		std::size_t end = i + 1;
		while (end < indices.size() && indices[end] == indices[end - 1] + 1)
			++end;
		visit(indices.subspan(i, end - i));
		i = end;
	}
}

/// Gives the memory of the blocks back to the system; false if it stays.
bool give_back(std::byte *base, std::uint32_t first, std::size_t count)
{
	return ::madvise(base + std::size_t{first} * block_bytes, count * block_bytes, MADV_DONTNEED) == 0;
}

void populate(std::byte *first, std::size_t bytes)
{
	// Old kernels do not know MADV_POPULATE_WRITE; writing a byte to each page has the same effect.
	if (::madvise(first, bytes, MADV_POPULATE_WRITE) == 0)
		return;
	for (std::size_t i = 0; i < bytes; i += page_bytes)
		*static_cast<std::byte volatile *>(first + i) = std::byte{0};
}

} // namespace

block_ref::block_ref(block_ref const &other) : m_arena(other.m_arena), m_index(other.m_index)
{
	if (m_arena != nullptr)
		m_arena->retain(m_index);
}

block_ref::~block_ref()
{
	if (m_arena != nullptr)
		m_arena->release(m_index);
}

std::byte *block_ref::data() const
{
	assert(m_arena != nullptr);
	return m_arena->m_base + std::size_t{m_index} * block_bytes;
}

std::byte *block_ref::detach()
{
	auto *const pointer = data();
	m_arena = nullptr;
	return pointer;
}

std::uint32_t block_ref::use_count() const
{
	return m_arena == nullptr ? 0 : m_arena->references(m_index).load(std::memory_order_acquire);
}

result<std::unique_ptr<block_arena>> block_arena::create(
	std::uint32_t capacity_blocks, std::uint32_t blocks_max)
{
	if (blocks_max == 0)
		return make_error(errc::invalid_argument, "a buffer arena needs at least one block");
	auto const for_blocks = round_up(std::size_t{blocks_max} * block_bytes);
	// The counts of a machine's whole memory would be megabytes of heap, touched before anything is stored.
	auto const wanted = for_blocks + round_up(std::size_t{blocks_max} * sizeof(std::uint32_t));
	// Reserved with a margin of one huge page, of which the unaligned ends are given back.
	auto const reserved = wanted + huge_page_bytes;
	void *const mapped =
		::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped == MAP_FAILED) {
		auto e = make_error(errc::no_memory, "cannot reserve address space for the buffers");
		e.operation = "mmap";
		e.length_bytes = reserved;
		e.os_errno = errno;
		return e;
	}
	auto *const start = static_cast<std::byte *>(mapped);
	auto const misfit = reinterpret_cast<std::uintptr_t>(start) % huge_page_bytes;
	auto const head = misfit == 0 ? 0 : huge_page_bytes - misfit;
	auto *const base = start + head;
	int failed = 0;
	if (head != 0 && ::munmap(start, head) != 0)
		failed = errno;
	if (failed == 0 && ::munmap(base + wanted, huge_page_bytes - head) != 0)
		failed = errno;
	if (failed != 0) {
		auto e = make_error(errc::no_memory, "cannot align the buffers");
		e.operation = "munmap";
		e.os_errno = failed;
		return e;
	}
	// Advice only: EINVAL where the kernel has no huge pages, and ordinary pages do as well.
	[[maybe_unused]] auto const advised = ::madvise(base, for_blocks, MADV_HUGEPAGE);
	return std::unique_ptr<block_arena>(
		new block_arena(base, for_blocks, std::min(capacity_blocks, blocks_max), blocks_max));
}

block_arena::block_arena(
	std::byte *base, std::size_t blocks_bytes, std::uint32_t capacity_blocks, std::uint32_t blocks_max)
	: m_base(base), m_blocks_bytes(blocks_bytes), m_blocks_max(blocks_max), m_capacity(capacity_blocks),
	  m_references(reinterpret_cast<std::uint32_t *>(base + blocks_bytes))
{
	// All three lists together hold each block at most once, so releasing never allocates.
	m_warm.reserve(blocks_max);
	m_cold.reserve(blocks_max);
}

block_arena::~block_arena()
{
	assert(used_blocks() == 0);
	auto const counts_bytes = round_up(std::size_t{m_blocks_max} * sizeof(std::uint32_t));
	[[maybe_unused]] auto const unmapped = ::munmap(m_base, m_blocks_bytes + counts_bytes);
	assert(unmapped == 0);
}

std::atomic_ref<std::uint32_t> block_arena::references(std::uint32_t index) const
{
	return std::atomic_ref(m_references[index]);
}

/// Huge pages only while every block ever used fits in the budget. The kernel fills the holes of a huge page
/// when it puts one together, minutes after their memory was given back. Wants the lock.
void block_arena::choose_page_size()
{
	auto const may_be_huge = m_fresh <= m_capacity.load(std::memory_order_relaxed);
	if (may_be_huge == m_is_huge)
		return;
	// Advice only, as when the arena was made.
	[[maybe_unused]] auto const advised =
		::madvise(m_base, m_blocks_bytes, may_be_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	m_is_huge = may_be_huge;
}

block_ref block_arena::allocate(block_purpose purpose)
{
	std::lock_guard const lock(m_mutex);
	auto const capacity = m_capacity.load(std::memory_order_relaxed);
	auto const used = m_used.load(std::memory_order_relaxed);
	auto const limit =
		purpose == block_purpose::receive ? std::max(capacity, m_settling) : capacity - reserve_blocks();
	if (used >= limit)
		return {};
	std::uint32_t index = 0;
	if (!m_warm.empty()) {
		index = m_warm.back();
		m_warm.pop_back();
	} else if (!m_cold.empty()) {
		index = m_cold.back();
		m_cold.pop_back();
	} else if (m_fresh < m_blocks_max) {
		index = m_fresh++;
	} else {
		return {}; // the rest is being prefaulted or given back at this moment
	}
	m_used.store(used + 1, std::memory_order_relaxed);
	references(index).store(1, std::memory_order_relaxed);
	return {this, index};
}

void block_arena::release_pointer(std::byte const *pointer)
{
	assert(owns(pointer));
	release(static_cast<std::uint32_t>(static_cast<std::size_t>(pointer - m_base) / block_bytes));
}

bool block_arena::owns(std::byte const *pointer) const
{
	return std::greater_equal<>{}(pointer, m_base) &&
		std::less<>{}(pointer, m_base + std::size_t{m_blocks_max} * block_bytes);
}

/// Brings the limit of receiving down behind what is in use. Wants the lock.
void block_arena::settle()
{
	auto const capacity = m_capacity.load(std::memory_order_relaxed);
	auto const used = m_used.load(std::memory_order_relaxed);
	m_settling = used > capacity ? std::min(m_settling, used + reserve_of(capacity)) : 0;
}

void block_arena::set_capacity(std::uint32_t capacity_blocks)
{
	capacity_blocks = std::min(capacity_blocks, m_blocks_max);
	std::vector<std::uint32_t> surplus;
	{
		std::lock_guard const lock(m_mutex);
		auto const before = m_capacity.exchange(capacity_blocks, std::memory_order_relaxed);
		m_settling = std::max(before, m_settling);
		settle();
		choose_page_size();
		auto const backed = m_warm.size() + m_used.load(std::memory_order_relaxed);
		if (backed <= capacity_blocks)
			return;
		auto const count = std::min(m_warm.size(), backed - capacity_blocks);
		surplus.assign(m_warm.end() - static_cast<std::ptrdiff_t>(count), m_warm.end());
		m_warm.resize(m_warm.size() - count);
	}
	// Outside the lock: this may be gigabytes, and the network thread must not wait for it.
	for_each_row(surplus, [this](std::span<std::uint32_t const> row) {
		auto const is_cold = give_back(m_base, row.front(), row.size());
		std::lock_guard const lock(m_mutex);
		auto &list = is_cold ? m_cold : m_warm;
		list.insert(list.end(), row.begin(), row.end());
	});
}

std::uint32_t block_arena::reserve_of(std::uint32_t capacity_blocks)
{
	auto const part =
		std::max(capacity_blocks / 8, std::min(capacity_blocks / 4, reserve_quarter_max_blocks));
	return std::min(std::max(part, reserve_min_blocks), capacity_blocks / 2);
}

std::uint32_t block_arena::idle_reserve_of(std::uint32_t capacity_blocks)
{
	return std::min(std::max(capacity_blocks / 16, reserve_min_blocks), capacity_blocks / 2);
}

void block_arena::prefault(std::uint32_t blocks)
{
	std::vector<std::uint32_t> chunk;
	while (blocks > 0) {
		chunk.clear();
		{
			std::lock_guard const lock(m_mutex);
			auto const backed =
				static_cast<std::uint32_t>(m_warm.size()) + m_used.load(std::memory_order_relaxed);
			auto const capacity = m_capacity.load(std::memory_order_relaxed);
			auto const count =
				std::min({blocks, prefault_chunk_blocks, capacity > backed ? capacity - backed : 0});
			while (chunk.size() < count && m_fresh < m_blocks_max)
				chunk.push_back(m_fresh++);
			while (chunk.size() < count && !m_cold.empty()) {
				chunk.push_back(m_cold.back());
				m_cold.pop_back();
			}
		}
		if (chunk.empty())
			return;
		for_each_row(chunk, [this](std::span<std::uint32_t const> row) {
			populate(m_base + std::size_t{row.front()} * block_bytes, row.size() * block_bytes);
		});
		blocks -= static_cast<std::uint32_t>(chunk.size());
		std::lock_guard const lock(m_mutex);
		m_warm.insert(m_warm.end(), chunk.rbegin(), chunk.rend());
	}
}

void block_arena::retain(std::uint32_t index)
{
	references(index).fetch_add(1, std::memory_order_relaxed);
}

void block_arena::release(std::uint32_t index)
{
	auto const before = references(index).fetch_sub(1, std::memory_order_acq_rel);
	assert(before > 0);
	if (before != 1)
		return;
	auto const drop = [this, index](std::vector<std::uint32_t> &list) {
		list.push_back(index);
		m_used.store(m_used.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
		if (m_settling != 0)
			settle();
	};
	{
		std::lock_guard const lock(m_mutex);
		auto const backed = m_warm.size() + m_used.load(std::memory_order_relaxed);
		if (backed <= m_capacity.load(std::memory_order_relaxed)) {
			drop(m_warm);
			return;
		}
	}
	// Counted as used until its memory is gone.
	auto const is_cold = give_back(m_base, index, 1);
	std::lock_guard const lock(m_mutex);
	drop(is_cold ? m_cold : m_warm);
}

} // namespace ezio
