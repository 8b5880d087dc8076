#pragma once

#include "actors/core/units.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace ezio
{

/// Who may still ask for the pieces of one torrent: how many connected peers lack each, as they say
/// themselves, and which pieces the caches would rather have asked for before they forget them. Knows nothing
/// of the network. Told by one thread; may be asked by any. Numbers are hints: they can be a moment old.
class piece_audience
{
public:
	explicit piece_audience(std::int32_t pieces) : m_having(static_cast<std::size_t>(pieces)) {}

	/// A peer has come, and lacks everything until it says otherwise.
	void came() { m_peers.fetch_add(1, std::memory_order_relaxed); }
	/// A connected peer has the piece; once for each peer and piece.
	void has(piece_index piece) { having(piece).fetch_add(1, std::memory_order_relaxed); }
	/// A peer has gone that had the pieces whose bits are set.
	void went(std::vector<bool> const &had);

	std::size_t pieces() const { return m_having.size(); }
	std::uint32_t peers() const { return m_peers.load(std::memory_order_relaxed); }
	std::uint32_t lacking(piece_index piece) const;
	/// Peers are connected and all of them have the piece: nobody is left to ask for it.
	bool is_over(piece_index piece) const { return peers() > 0 && lacking(piece) == 0; }

	/// The piece is in memory, and will not be for long. False if others wait to be told of already.
	bool offer(piece_index piece);
	bool has_offers() const { return m_has_offers.load(std::memory_order_relaxed); }
	/// What was offered since the last call, in order.
	std::vector<piece_index> take_offers();

private:
	std::atomic<std::uint16_t> &having(piece_index piece)
	{
		return m_having[static_cast<std::size_t>(to_int(piece))];
	}

	std::vector<std::atomic<std::uint16_t>> m_having; ///< connected peers that have the piece
	std::atomic<std::uint32_t> m_peers{0};
	std::atomic<bool> m_has_offers{false};
	std::mutex m_mutex;
	std::vector<piece_index> m_offers; ///< guarded by m_mutex
};

} // namespace ezio
