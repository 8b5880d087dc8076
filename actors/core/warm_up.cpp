#include "actors/core/warm_up.hpp"

#include <algorithm>
#include <cassert>

namespace ezio
{
namespace
{

/// Refused stretches in a row after which no partition has room. Pieces go to partitions as by chance, so
/// that one with room is missed by 16 for each about once in ten million times; and what a cache has kept of
/// an earlier warm-up, which counts too, lies behind what it has forgotten.
std::size_t refusals_to_give_up(std::size_t partitions)
{
	return std::max<std::size_t>(16 * partitions, 64);
}

} // namespace

bool warm_up::has_next(std::size_t partitions) const
{
	return !m_is_cancelled && !m_failure && m_piece < m_pieces.piece_count() &&
		m_refused_in_row < refusals_to_give_up(partitions);
}

std::optional<warm_up::stretch> warm_up::next(std::size_t partitions)
{
	if (!has_next(partitions))
		return std::nullopt;
	stretch s;
	s.piece = piece_index{m_piece};
	s.offset_bytes = m_offset_bytes;
	auto const size = m_pieces.piece_size(s.piece);
	s.length_bytes = std::min(stretch_bytes, size - m_offset_bytes);
	m_offset_bytes += s.length_bytes;
	if (m_offset_bytes == size) {
		++m_piece;
		m_offset_bytes = 0;
	}
	++m_under_way;
	return s;
}

void warm_up::ended(
	std::uint32_t asked_bytes, std::uint32_t cached_bytes, std::optional<error> const &failure)
{
	assert(m_under_way > 0 && cached_bytes <= asked_bytes);
	--m_under_way;
	m_cached_bytes += cached_bytes;
	if (failure && !m_failure)
		m_failure = failure;
	m_refused_in_row = cached_bytes < asked_bytes ? m_refused_in_row + 1 : 0;
}

bool warm_up::is_over(std::size_t partitions) const
{
	return m_under_way == 0 && !has_next(partitions);
}

} // namespace ezio
