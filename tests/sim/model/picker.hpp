#pragma once

#include "tests/sim/model/random.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ezio::sim
{

/// A set of pieces as bits.
class piece_set
{
public:
	explicit piece_set(std::uint32_t pieces, bool is_full = false);

	bool has(std::uint32_t piece) const { return m_words[piece / 64] >> (piece % 64) & 1; }
	void insert(std::uint32_t piece) { m_words[piece / 64] |= std::uint64_t{1} << (piece % 64); }
	void erase(std::uint32_t piece) { m_words[piece / 64] &= ~(std::uint64_t{1} << (piece % 64)); }
	std::span<std::uint64_t const> words() const { return m_words; }

private:
	std::vector<std::uint64_t> m_words;
};

/// Does @p offered hold something that is wanted and not avoided?
bool has_wanted(piece_set const &offered, piece_set const &wanted, piece_set const *avoided);

/// The rarest piece that is offered, wanted and not avoided; one of them at random where several are equally
/// rare.
std::optional<std::uint32_t> pick_rarest(piece_set const &offered, piece_set const &wanted,
	piece_set const *avoided, std::span<std::uint16_t const> copies, random_source &random);

} // namespace ezio::sim
