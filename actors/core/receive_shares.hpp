#pragma once

#include <cstddef>
#include <cstdint>

namespace ezio
{

/// How much each connection may have received before it is read, which is what arrives at once when it is.
/// The more that is, the fewer wakes and system calls a block costs; but libtorrent keeps as much heap for
/// each connection, and what arrives at once must find room in the cache. So one pool is divided among the
/// connections that there are. Used by one thread.
///
/// Shares are numbers for SO_RCVBUF (socket(7)), of which the kernel makes twice as much.
class receive_shares
{
public:
	/// All of them together, however much room the cache has.
	static constexpr std::uint64_t heap_bytes = 16 * 1024 * 1024;
	/// More makes nothing cheaper.
	static constexpr std::uint64_t share_max_bytes = 1024 * 1024;
	/// With 64 KiB and less a block costs a quarter more than with this, on the loopback interface.
	static constexpr std::uint64_t share_cheap_bytes = 72 * 1024;
	/// The least that a connection needs to go on; with more than 1000 of them this exceeds the heap.
	static constexpr std::uint64_t share_min_bytes = 16 * 1024;

	/// Divides what all connections together may hand over at once. True if those that were there before are
	/// to be told of their share: when it has fallen by an eighth, or may rise by a quarter or to the most.
	bool divide(std::uint64_t pool_bytes, std::size_t connections);
	/// Of each connection; 0 before the first division.
	std::uint32_t share_bytes() const { return m_share_bytes; }
	/// Exactly the pool divided by that many.
	static std::uint32_t share_of(std::uint64_t pool_bytes, std::size_t connections);

private:
	std::uint32_t m_share_bytes = 0;
};

} // namespace ezio
