#include "actors/core/block_copy.hpp"

#include <cassert>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ezio
{

void copy_to_block(std::byte *to, std::span<std::byte const> from)
{
	assert(reinterpret_cast<std::uintptr_t>(to) % 64 == 0);
	std::size_t done = 0;
#ifdef __SSE2__
	constexpr std::size_t line_bytes = 64;
	// Whole cache lines only: a line that is written in part would be read first after all.
	for (; done + line_bytes <= from.size(); done += line_bytes) {
		auto const *const source = reinterpret_cast<__m128i const *>(from.data() + done);
		auto *const target = reinterpret_cast<__m128i *>(to + done);
		auto const a = _mm_loadu_si128(source);
		auto const b = _mm_loadu_si128(source + 1);
		auto const c = _mm_loadu_si128(source + 2);
		auto const d = _mm_loadu_si128(source + 3);
		_mm_stream_si128(target, a);
		_mm_stream_si128(target + 1, b);
		_mm_stream_si128(target + 2, c);
		_mm_stream_si128(target + 3, d);
	}
	// Such stores are not ordered with others: not even a mutex would make them visible.
	_mm_sfence();
#endif
	if (done < from.size())
		std::memcpy(to + done, from.data() + done, from.size() - done);
}

} // namespace ezio
