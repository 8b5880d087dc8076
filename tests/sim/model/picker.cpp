#include "tests/sim/model/picker.hpp"

#include <bit>
#include <cstddef>
#include <limits>

namespace ezio::sim
{

piece_set::piece_set(std::uint32_t pieces, bool is_full) : m_words((pieces + 63) / 64)
{
	for (std::uint32_t piece = 0; is_full && piece < pieces; ++piece) {
		insert(piece);
	}
}

namespace
{

std::uint64_t candidates(
	std::size_t word, piece_set const &offered, piece_set const &wanted, piece_set const *avoided)
{
	return offered.words()[word] & wanted.words()[word] &
		(avoided ? ~avoided->words()[word] : ~std::uint64_t{0});
}

} // namespace

bool has_wanted(piece_set const &offered, piece_set const &wanted, piece_set const *avoided)
{
	for (std::size_t word = 0; word < offered.words().size(); ++word) {
		if (candidates(word, offered, wanted, avoided)) {
			return true;
		}
	}
	return false;
}

std::optional<std::uint32_t> pick_rarest(piece_set const &offered, piece_set const &wanted,
	piece_set const *avoided, std::span<std::uint16_t const> copies, random_source &random)
{
	std::uint32_t rarest = std::numeric_limits<std::uint32_t>::max();
	std::uint32_t equals = 0;
	std::uint32_t picked = 0;
	for (std::size_t word = 0; word < offered.words().size(); ++word) {
		for (auto bits = candidates(word, offered, wanted, avoided); bits; bits &= bits - 1) {
			auto const piece =
				static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
			if (copies[piece] < rarest) {
				rarest = copies[piece];
				equals = 1;
				picked = piece;
			} else if (copies[piece] == rarest && random.below(++equals) == 0) {
				picked = piece;
			}
		}
	}
	return equals ? std::optional(picked) : std::nullopt;
}

} // namespace ezio::sim
