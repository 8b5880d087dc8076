#include "actors/core/sha_kernels.hpp"

#if defined(__x86_64__)

#include "actors/core/sha_rounds.hpp"

#include <immintrin.h>

namespace ezio::sha
{
namespace
{

struct avx2 {
	using word = __m256i;
	static constexpr unsigned lanes = 8;

	static EZIO_SHA_INLINE word add(word a, word b) { return _mm256_add_epi32(a, b); }
	static EZIO_SHA_INLINE word exclusive_or(word a, word b) { return _mm256_xor_si256(a, b); }
	static EZIO_SHA_INLINE word choose(word a, word b, word c)
	{
		return exclusive_or(c, _mm256_and_si256(a, exclusive_or(b, c)));
	}
	static EZIO_SHA_INLINE word majority(word a, word b, word c)
	{
		return _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)));
	}
	static EZIO_SHA_INLINE word parity(word a, word b, word c) { return exclusive_or(exclusive_or(a, b), c); }
	template <int Bits>
	static EZIO_SHA_INLINE word rotate_left(word a)
	{
		return _mm256_or_si256(_mm256_slli_epi32(a, Bits), _mm256_srli_epi32(a, 32 - Bits));
	}
	template <int Bits>
	static EZIO_SHA_INLINE word shift_right(word a)
	{
		return _mm256_srli_epi32(a, Bits);
	}
	static EZIO_SHA_INLINE word broadcast(std::uint32_t value)
	{
		return _mm256_set1_epi32(static_cast<int>(value));
	}
	static EZIO_SHA_INLINE word load_state(std::uint32_t const *from)
	{
		return _mm256_loadu_si256(reinterpret_cast<__m256i_u const *>(from));
	}
	static EZIO_SHA_INLINE void store_state(std::uint32_t *to, word value)
	{
		_mm256_storeu_si256(reinterpret_cast<__m256i_u *>(to), value);
	}

	/// Word i of all lanes into w[i]: two 8 x 8 transpositions of big-endian words.
	static EZIO_SHA_INLINE void load_words(word (&w)[16], std::byte const *const *data, std::size_t offset)
	{
		auto const swap =
			_mm256_broadcastsi128_si256(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
		for (unsigned half = 0; half < 2; ++half) {
			word rows[8];
			for (unsigned lane = 0; lane < 8; ++lane) {
				auto const *const from = data[lane] + offset + half * 32;
				rows[lane] =
					_mm256_shuffle_epi8(_mm256_loadu_si256(reinterpret_cast<__m256i_u const *>(from)), swap);
			}
			word quads[8]; // quads[4 * g + k]: word k of each half, of lanes 4 * g to 4 * g + 3
			for (unsigned g = 0; g < 8; g += 4) {
				auto const low01 = _mm256_unpacklo_epi32(rows[g], rows[g + 1]);
				auto const high01 = _mm256_unpackhi_epi32(rows[g], rows[g + 1]);
				auto const low23 = _mm256_unpacklo_epi32(rows[g + 2], rows[g + 3]);
				auto const high23 = _mm256_unpackhi_epi32(rows[g + 2], rows[g + 3]);
				quads[g] = _mm256_unpacklo_epi64(low01, low23);
				quads[g + 1] = _mm256_unpackhi_epi64(low01, low23);
				quads[g + 2] = _mm256_unpacklo_epi64(high01, high23);
				quads[g + 3] = _mm256_unpackhi_epi64(high01, high23);
			}
			for (unsigned k = 0; k < 4; ++k) {
				w[half * 8 + k] = _mm256_permute2x128_si256(quads[k], quads[4 + k], 0x20);
				w[half * 8 + 4 + k] = _mm256_permute2x128_si256(quads[k], quads[4 + k], 0x31);
			}
		}
	}
};

} // namespace

void avx2_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha1_lanes<avx2>(states, data, blocks);
}

void avx2_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	sha256_lanes<avx2>(states, data, blocks);
}

} // namespace ezio::sha

#endif
