#pragma once

#include "actors/core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ezio
{

/// What one connected peer has, as it says itself, which may be anything: so that whoever counts is told of
/// each piece once. Not thread-safe.
class piece_set
{
public:
	explicit piece_set(std::int32_t pieces) : m_bits(static_cast<std::size_t>(pieces > 0 ? pieces : 0)) {}

	/// False if it was here before, or if the torrent has no such piece.
	bool insert(piece_index piece)
	{
		if (!is_valid(piece) || contains(piece))
			return false;
		m_bits[index_of(piece)] = true;
		++m_count;
		return true;
	}
	/// False also of a piece that the torrent does not have.
	bool contains(piece_index piece) const { return is_valid(piece) && m_bits[index_of(piece)]; }
	std::size_t count() const { return m_count; }
	std::vector<bool> const &bits() const { return m_bits; }

private:
	static std::size_t index_of(piece_index piece) { return static_cast<std::size_t>(to_int(piece)); }
	bool is_valid(piece_index piece) const { return to_int(piece) >= 0 && index_of(piece) < m_bits.size(); }

	std::vector<bool> m_bits;
	std::size_t m_count = 0;
};

} // namespace ezio
