#include "actors/core/sha_kernels.hpp"

#if defined(__x86_64__)

#include "actors/core/sha_rounds.hpp"

#include <immintrin.h>

namespace ezio::sha
{
namespace
{

// One stream leaves the SHA unit idle most of the time, since each instruction waits for the one before. Two
// interleaved streams share it; more do not fit into sixteen registers.

template <unsigned Lanes>
struct message_words {
	__m128i of[Lanes][4];
};

EZIO_SHA_INLINE __m128i load(std::byte const *from)
{
	return _mm_loadu_si128(reinterpret_cast<__m128i_u const *>(from));
}

/// Words @p first to @p first + 3 of a lane, the first in the lowest element.
template <unsigned Lanes>
EZIO_SHA_INLINE __m128i gather(std::uint32_t const *states, unsigned lane, unsigned first)
{
	auto const word = [&](unsigned i) { return static_cast<int>(states[(first + i) * Lanes + lane]); };
	return _mm_set_epi32(word(3), word(2), word(1), word(0));
}

template <unsigned Lanes>
EZIO_SHA_INLINE void scatter(std::uint32_t *states, unsigned lane, unsigned first, __m128i words)
{
	states[first * Lanes + lane] = static_cast<std::uint32_t>(_mm_extract_epi32(words, 0));
	states[(first + 1) * Lanes + lane] = static_cast<std::uint32_t>(_mm_extract_epi32(words, 1));
	states[(first + 2) * Lanes + lane] = static_cast<std::uint32_t>(_mm_extract_epi32(words, 2));
	states[(first + 3) * Lanes + lane] = static_cast<std::uint32_t>(_mm_extract_epi32(words, 3));
}

/// Four rounds of SHA-1. @p before: a to d as they were four rounds ago.
template <unsigned Lanes, unsigned Group>
EZIO_SHA_INLINE void sha1_group(__m128i (&abcd)[Lanes], __m128i (&before)[Lanes], message_words<Lanes> &w)
{
	for (unsigned i = 0; i < Lanes; ++i) {
		auto &words = w.of[i];
		if constexpr (Group >= 4) {
			auto const mixed = _mm_xor_si128(
				_mm_sha1msg1_epu32(words[Group % 4], words[(Group + 1) % 4]), words[(Group + 2) % 4]);
			words[Group % 4] = _mm_sha1msg2_epu32(mixed, words[(Group + 3) % 4]);
		}
		auto const e = Group == 0 ? _mm_add_epi32(before[i], words[0])
								  : _mm_sha1nexte_epu32(before[i], words[Group % 4]);
		before[i] = abcd[i];
		abcd[i] = _mm_sha1rnds4_epu32(abcd[i], e, Group / 5);
	}
}

template <unsigned Lanes, unsigned... Group>
EZIO_SHA_INLINE void sha1_groups(__m128i (&abcd)[Lanes], __m128i (&before)[Lanes], message_words<Lanes> &w,
	std::integer_sequence<unsigned, Group...>)
{
	(sha1_group<Lanes, Group>(abcd, before, w), ...);
}

template <unsigned Lanes>
EZIO_SHA_INLINE void sha1_interleaved(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	auto const reverse = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
	__m128i abcd[Lanes];
	__m128i e[Lanes];
	for (unsigned i = 0; i < Lanes; ++i) {
		abcd[i] = _mm_shuffle_epi32(gather<Lanes>(states, i, 0), 0x1b);
		e[i] = _mm_set_epi32(static_cast<int>(states[4 * Lanes + i]), 0, 0, 0);
	}
	for (std::size_t block = 0; block < blocks; ++block) {
		message_words<Lanes> w;
		__m128i abcd_saved[Lanes];
		__m128i e_saved[Lanes];
		for (unsigned i = 0; i < Lanes; ++i) {
			for (unsigned k = 0; k < 4; ++k)
				w.of[i][k] = _mm_shuffle_epi8(load(data[i] + block * 64 + k * 16), reverse);
			abcd_saved[i] = abcd[i];
			e_saved[i] = e[i];
		}
		sha1_groups<Lanes>(abcd, e, w, std::make_integer_sequence<unsigned, 20>());
		for (unsigned i = 0; i < Lanes; ++i) {
			e[i] = _mm_sha1nexte_epu32(e[i], e_saved[i]);
			abcd[i] = _mm_add_epi32(abcd[i], abcd_saved[i]);
		}
	}
	for (unsigned i = 0; i < Lanes; ++i) {
		scatter<Lanes>(states, i, 0, _mm_shuffle_epi32(abcd[i], 0x1b));
		states[4 * Lanes + i] = static_cast<std::uint32_t>(_mm_extract_epi32(e[i], 3));
	}
}

/// Four rounds of SHA-256.
template <unsigned Lanes, unsigned Group>
EZIO_SHA_INLINE void sha256_group(__m128i (&abef)[Lanes], __m128i (&cdgh)[Lanes], message_words<Lanes> &w)
{
	auto const constants = _mm_load_si128(reinterpret_cast<__m128i const *>(sha256_round + 4 * Group));
	for (unsigned i = 0; i < Lanes; ++i) {
		auto &words = w.of[i];
		if constexpr (Group >= 4) {
			auto const earlier = _mm_alignr_epi8(words[(Group + 3) % 4], words[(Group + 2) % 4], 4);
			auto const mixed = _mm_sha256msg1_epu32(words[Group % 4], words[(Group + 1) % 4]);
			words[Group % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(mixed, earlier), words[(Group + 3) % 4]);
		}
		auto const input = _mm_add_epi32(words[Group % 4], constants);
		cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], input);
		abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], _mm_shuffle_epi32(input, 0x0e));
	}
}

template <unsigned Lanes, unsigned... Group>
EZIO_SHA_INLINE void sha256_groups(__m128i (&abef)[Lanes], __m128i (&cdgh)[Lanes], message_words<Lanes> &w,
	std::integer_sequence<unsigned, Group...>)
{
	(sha256_group<Lanes, Group>(abef, cdgh, w), ...);
}

template <unsigned Lanes>
EZIO_SHA_INLINE void sha256_interleaved(
	std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	auto const swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i abef[Lanes];
	__m128i cdgh[Lanes];
	for (unsigned i = 0; i < Lanes; ++i) {
		auto const abcd = _mm_shuffle_epi32(gather<Lanes>(states, i, 0), 0x1b);
		auto const efgh = _mm_shuffle_epi32(gather<Lanes>(states, i, 4), 0x1b);
		abef[i] = _mm_unpackhi_epi64(efgh, abcd);
		cdgh[i] = _mm_unpacklo_epi64(efgh, abcd);
	}
	for (std::size_t block = 0; block < blocks; ++block) {
		message_words<Lanes> w;
		__m128i abef_saved[Lanes];
		__m128i cdgh_saved[Lanes];
		for (unsigned i = 0; i < Lanes; ++i) {
			for (unsigned k = 0; k < 4; ++k)
				w.of[i][k] = _mm_shuffle_epi8(load(data[i] + block * 64 + k * 16), swap);
			abef_saved[i] = abef[i];
			cdgh_saved[i] = cdgh[i];
		}
		sha256_groups<Lanes>(abef, cdgh, w, std::make_integer_sequence<unsigned, 16>());
		for (unsigned i = 0; i < Lanes; ++i) {
			abef[i] = _mm_add_epi32(abef[i], abef_saved[i]);
			cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_saved[i]);
		}
	}
	for (unsigned i = 0; i < Lanes; ++i) {
		scatter<Lanes>(states, i, 0, _mm_shuffle_epi32(_mm_unpackhi_epi64(cdgh[i], abef[i]), 0x1b));
		scatter<Lanes>(states, i, 4, _mm_shuffle_epi32(_mm_unpacklo_epi64(cdgh[i], abef[i]), 0x1b));
	}
}

} // namespace

void ni_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha1_interleaved<1>(states, data, blocks);
}

void ni_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha256_interleaved<1>(states, data, blocks);
}

void ni_sha1_x2(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha1_interleaved<2>(states, data, blocks);
}

void ni_sha256_x2(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha256_interleaved<2>(states, data, blocks);
}

} // namespace ezio::sha

#endif
