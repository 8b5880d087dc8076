#pragma once

#include "actors/core/units.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace ezio
{

/// The pieces of one torrent that its device does not give back: a read of them failed for good, and nothing
/// has read them since. Who has to do with peers watches it, so that nobody is promised what cannot be sent.
/// Thread-safe.
class unreadable_pieces
{
public:
	explicit unreadable_pieces(std::int32_t pieces) : m_is_bad(static_cast<std::size_t>(pieces)) {}

	void add(piece_index piece) { set(piece, true); }
	/// It has been read again.
	void remove(piece_index piece) { set(piece, false); }
	/// The operator says that the cause is gone: what is not is found out anew.
	void clear();

	std::size_t pieces() const { return m_is_bad.size(); }
	bool contains(piece_index piece) const
	{
		return m_is_bad[static_cast<std::size_t>(to_int(piece))].load(std::memory_order_relaxed);
	}
	/// Another number after every change.
	std::uint64_t version() const { return m_version.load(std::memory_order_acquire); }

private:
	void set(piece_index piece, bool is_bad);

	std::vector<std::atomic<bool>> m_is_bad;
	std::atomic<std::uint64_t> m_version{0};
};

/// One onlooker's view of them. Not thread-safe.
class unreadable_watch
{
public:
	explicit unreadable_watch(std::shared_ptr<unreadable_pieces const> pieces)
		: m_pieces(std::move(pieces)), m_is_bad(m_pieces->pieces())
	{
	}

	/// Pieces that have become unreadable, or readable again, since the last look; next to nothing if there
	/// are none.
	std::vector<piece_index> look();

	std::size_t pieces() const { return m_is_bad.size(); }

	// As of the last look.
	bool is_any() const { return m_count != 0; }
	/// False for a number that is no piece's.
	bool contains(piece_index piece) const
	{
		auto const index = static_cast<std::size_t>(to_int(piece));
		return index < m_is_bad.size() && m_is_bad[index];
	}
	std::vector<piece_index> list() const;

private:
	std::shared_ptr<unreadable_pieces const> m_pieces;
	std::vector<bool> m_is_bad;
	std::size_t m_count = 0;
	std::uint64_t m_version = 0;
};

} // namespace ezio
