#include "actors/core/read_ahead.hpp"

#include <algorithm>

namespace ezio
{
namespace
{

/// So many whole pieces in a row make the next one likely.
constexpr std::uint32_t whole_pieces_needed = 2;
/// The first read of a piece: a quarter of the limit.
constexpr std::uint32_t start_divisor = 4;

} // namespace

std::uint32_t read_ahead::decide(miss const &at) const
{
	auto const start = m_limit / start_divisor;
	bool const is_whole = m_whole_pieces >= whole_pieces_needed;
	std::uint32_t wanted = 1;
	if (at.is_shared)
		wanted = m_limit;
	else if (at.index == 0)
		wanted = is_whole ? m_limit : start;
	else if (at.run_before > 0)
		wanted = is_whole ? m_limit : std::max(start, 2 * at.run_before);
	wanted = std::min({wanted, m_limit, at.blocks - at.index});
	return std::max(wanted, 1U);
}

bool read_ahead::reads_on() const
{
	return m_limit > 1 && m_whole_pieces >= whole_pieces_needed;
}

void read_ahead::piece_ended()
{
	m_whole_pieces = std::min(m_whole_pieces + 1, whole_pieces_needed);
}

void read_ahead::went_unused(std::uint64_t blocks)
{
	if (blocks > 0)
		m_whole_pieces = 0;
}

} // namespace ezio
