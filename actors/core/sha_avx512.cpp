#include "actors/core/sha_kernels.hpp"

#if defined(__x86_64__)

#include "actors/core/sha_rounds.hpp"

#include <immintrin.h>

namespace ezio::sha
{
namespace
{

struct avx512 {
	using word = __m512i;
	static constexpr unsigned lanes = 16;

	// Truth tables of vpternlog: bit (a << 2 | b << 1 | c) of the number is the result.
	static constexpr int choose_table = 0xca, majority_table = 0xe8, parity_table = 0x96;

	static EZIO_SHA_INLINE word add(word a, word b) { return _mm512_add_epi32(a, b); }
	static EZIO_SHA_INLINE word exclusive_or(word a, word b) { return _mm512_xor_si512(a, b); }
	static EZIO_SHA_INLINE word choose(word a, word b, word c)
	{
		return _mm512_ternarylogic_epi32(a, b, c, choose_table);
	}
	static EZIO_SHA_INLINE word majority(word a, word b, word c)
	{
		return _mm512_ternarylogic_epi32(a, b, c, majority_table);
	}
	static EZIO_SHA_INLINE word parity(word a, word b, word c)
	{
		return _mm512_ternarylogic_epi32(a, b, c, parity_table);
	}
	template <int Bits>
	static EZIO_SHA_INLINE word rotate_left(word a)
	{
		return _mm512_rol_epi32(a, Bits);
	}
	template <int Bits>
	static EZIO_SHA_INLINE word shift_right(word a)
	{
		return _mm512_srli_epi32(a, Bits);
	}
	static EZIO_SHA_INLINE word broadcast(std::uint32_t value)
	{
		return _mm512_set1_epi32(static_cast<int>(value));
	}
	static EZIO_SHA_INLINE word load_state(std::uint32_t const *from) { return _mm512_loadu_si512(from); }
	static EZIO_SHA_INLINE void store_state(std::uint32_t *to, word value) { _mm512_storeu_si512(to, value); }

	/// Word i of all lanes into w[i]: a 16 x 16 transposition of big-endian words.
	static EZIO_SHA_INLINE void load_words(word (&w)[16], std::byte const *const *data, std::size_t offset)
	{
		auto const swap =
			_mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
		word rows[16];
		for (unsigned lane = 0; lane < 16; ++lane)
			rows[lane] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[lane] + offset), swap);
		word quads[16]; // quads[4 * g + k]: word k of each quarter, of lanes 4 * g to 4 * g + 3
		for (unsigned g = 0; g < 16; g += 4) {
			auto const low01 = _mm512_unpacklo_epi32(rows[g], rows[g + 1]);
			auto const high01 = _mm512_unpackhi_epi32(rows[g], rows[g + 1]);
			auto const low23 = _mm512_unpacklo_epi32(rows[g + 2], rows[g + 3]);
			auto const high23 = _mm512_unpackhi_epi32(rows[g + 2], rows[g + 3]);
			quads[g] = _mm512_unpacklo_epi64(low01, low23);
			quads[g + 1] = _mm512_unpackhi_epi64(low01, low23);
			quads[g + 2] = _mm512_unpacklo_epi64(high01, high23);
			quads[g + 3] = _mm512_unpackhi_epi64(high01, high23);
		}
		for (unsigned k = 0; k < 4; ++k) {
			// A 4 x 4 transposition of quarters.
			auto const first = _mm512_shuffle_i32x4(quads[k], quads[4 + k], 0x44);
			auto const second = _mm512_shuffle_i32x4(quads[k], quads[4 + k], 0xee);
			auto const third = _mm512_shuffle_i32x4(quads[8 + k], quads[12 + k], 0x44);
			auto const fourth = _mm512_shuffle_i32x4(quads[8 + k], quads[12 + k], 0xee);
			w[k] = _mm512_shuffle_i32x4(first, third, 0x88);
			w[4 + k] = _mm512_shuffle_i32x4(first, third, 0xdd);
			w[8 + k] = _mm512_shuffle_i32x4(second, fourth, 0x88);
			w[12 + k] = _mm512_shuffle_i32x4(second, fourth, 0xdd);
		}
	}
};

} // namespace

void avx512_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha1_lanes<avx512>(states, data, blocks);
}

void avx512_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha256_lanes<avx512>(states, data, blocks);
}

} // namespace ezio::sha

#endif
