#pragma once

#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ezio
{

class block_arena;

/// A counted reference to one 16 KiB page-aligned block of the arena. Movable, copyable (one atomic
/// increment), thread-safe like shared_ptr. A block is written only by the one who allocated it, before it is
/// shared.
class block_ref
{
public:
	block_ref() = default;
	block_ref(block_ref const &other);
	block_ref(block_ref &&other) noexcept
		: m_arena(std::exchange(other.m_arena, nullptr)), m_index(other.m_index)
	{
	}
	block_ref &operator=(block_ref other) noexcept
	{
		std::swap(m_arena, other.m_arena);
		std::swap(m_index, other.m_index);
		return *this;
	}
	~block_ref();

	explicit operator bool() const { return m_arena != nullptr; }
	std::byte *data() const;
	/// Gives the reference away as a bare pointer: someone must call block_arena::release_pointer with it (or
	/// with any pointer into the block) once.
	std::byte *detach();
	/// Number of references at this moment: for eviction decisions and tests.
	std::uint32_t use_count() const;

private:
	friend class block_arena;
	block_ref(block_arena *arena, std::uint32_t index) : m_arena(arena), m_index(index) {}
	block_arena *m_arena = nullptr;
	std::uint32_t m_index = 0;
};

/// What a block is wanted for. Receiving may take the last block; everything else leaves a reserve for it, so
/// that data from peers can always land.
enum class block_purpose : std::uint8_t { receive, read };

/// The one memory budget: an address range of 16 KiB blocks of which at most capacity are in use. Never grows
/// beyond it and never aborts: allocation fails instead. Blocks above the capacity are given back to the
/// system as they fall free. All methods are thread-safe.
class block_arena
{
public:
	/// Reserves address space (no memory yet) for @p blocks_max blocks. Fails if the system refuses (mmap).
	static result<std::unique_ptr<block_arena>> create(
		std::uint32_t capacity_blocks, std::uint32_t blocks_max);
	~block_arena();
	block_arena(block_arena const &) = delete;
	block_arena &operator=(block_arena const &) = delete;

	/// An empty reference if the budget is exhausted for that purpose.
	block_ref allocate(block_purpose purpose);
	/// Drops the reference that detach() gave away. @p pointer may point anywhere into the block.
	void release_pointer(std::byte const *pointer);
	/// Does the pointer lie in the arena?
	bool owns(std::byte const *pointer) const;

	/// Changes the budget, within blocks_max. Growing is immediate; when shrinking, free memory goes back to
	/// the system at once and the rest as blocks fall free. Until no more than the new capacity are in use,
	/// receiving may go a reserve beyond what is: peers learn only with their next block that they must wait.
	/// Above blocks_max counts as blocks_max.
	void set_capacity(std::uint32_t capacity_blocks);
	std::uint32_t capacity_blocks() const { return m_capacity.load(std::memory_order_relaxed); }
	std::uint32_t blocks_max() const { return m_blocks_max; }
	/// Blocks referenced by anyone now.
	std::uint32_t used_blocks() const { return m_used.load(std::memory_order_relaxed); }
	/// While nothing is received, reading may have all of the reserve but what the first blocks of a transfer
	/// need until caches have made room. Receiving is what an arena begins with.
	void set_receiving(bool is_receiving) { m_is_receiving.store(is_receiving, std::memory_order_relaxed); }
	/// Blocks kept for receiving at this moment.
	std::uint32_t reserve_blocks() const
	{
		auto const capacity = capacity_blocks();
		return m_is_receiving.load(std::memory_order_relaxed) ? reserve_of(capacity)
															  : idle_reserve_of(capacity);
	}
	/// The last resort is near: received data has got into the reserve, so far that what peers still hand
	/// over after they are told to wait, their receive buffers, just finds room. It gets there only if it
	/// piles up faster than partitions and hashers take it, or if others hold more than their part: reading,
	/// the caches and the marks leave the reserve alone.
	bool is_short() const { return used_blocks() + reserve_blocks() / 4 * 3 >= capacity_blocks(); }
	/// How many blocks must fall free before one can be had for reading.
	std::uint32_t lacking_for_reading() const
	{
		auto const limit = capacity_blocks() - reserve_blocks();
		auto const used = used_blocks();
		return used < limit ? 0 : used - limit + 1;
	}
	/// What an arena of that capacity keeps for receiving: an eighth, but a quarter as long as that is no
	/// more than 32 MiB; at least 64 blocks, but never more than half of the capacity.
	static std::uint32_t reserve_of(std::uint32_t capacity_blocks);
	/// What it keeps while nothing is received: a sixteenth, within the same bounds.
	static std::uint32_t idle_reserve_of(std::uint32_t capacity_blocks);
	/// Touches up to @p blocks free blocks so that their first use costs nothing. Slow: call it from a thread
	/// that may block.
	void prefault(std::uint32_t blocks);

private:
	friend class block_ref;
	block_arena(
		std::byte *base, std::size_t blocks_bytes, std::uint32_t capacity_blocks, std::uint32_t blocks_max);
	std::atomic_ref<std::uint32_t> references(std::uint32_t index) const;
	void choose_page_size();
	void settle();
	void retain(std::uint32_t index);
	void release(std::uint32_t index);

	std::byte *m_base;
	std::size_t m_blocks_bytes; ///< of the mapping; the reference counts follow
	std::uint32_t m_blocks_max;
	std::atomic<std::uint32_t> m_capacity;
	std::atomic<std::uint32_t> m_used{0};
	std::atomic<bool> m_is_receiving{true};
	std::uint32_t *m_references; ///< one per block, in the mapping: memory only for blocks once used
	std::mutex m_mutex;
	std::vector<std::uint32_t> m_warm; ///< free and backed by memory; guarded by m_mutex
	std::vector<std::uint32_t> m_cold; ///< free and given back; guarded by m_mutex
	std::uint32_t m_fresh = 0;         ///< first block never used; guarded by m_mutex
	std::uint32_t m_settling = 0;      ///< limit of receiving after shrinking; 0: none; guarded by m_mutex
	bool m_is_huge = true;             ///< huge pages are advised; guarded by m_mutex
};

} // namespace ezio
