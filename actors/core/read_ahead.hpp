#pragma once

#include <cstdint>

namespace ezio
{

/// How far a read that misses the cache goes on beyond the block that was asked for. Peers fetch a piece
/// block by block in order, mostly all of it, and one large direct read costs the least; but a client that
/// wants a block here and there must not pay for a megabyte each time. So: what goes on where reading left
/// off, or is wanted by several, is read far; the start of a piece a quarter as far, and just as far once the
/// pieces before were read to their ends; anything else is read alone.
///
/// One per partition. Not thread-safe; all amounts are blocks.
class read_ahead
{
public:
	struct miss {
		std::uint32_t index = 0;      ///< of the block within its piece
		std::uint32_t blocks = 0;     ///< of the piece
		std::uint32_t run_before = 0; ///< cached blocks right before it, the last of which went to a peer
		bool is_shared = false;       ///< a block of the piece was asked for a second time
	};

	/// At most so far; below 2 nothing is read ahead.
	void set_limit(std::uint32_t blocks) { m_limit = blocks; }
	/// Blocks to read, the missed one included: at least 1, never beyond the piece.
	std::uint32_t decide(miss const &at) const;
	/// Pieces are read whole: what comes next is worth reading before it is asked for.
	bool reads_on() const;
	/// A piece was read in order up to its last block.
	void piece_ended();
	/// So many blocks read ahead were evicted before anybody asked for them.
	void went_unused(std::uint64_t blocks);

private:
	std::uint32_t m_limit = 0;
	std::uint32_t m_whole_pieces = 0; ///< read to their ends since read-ahead last went unused
};

} // namespace ezio
