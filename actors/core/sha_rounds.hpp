#pragma once

#include "actors/core/sha_constants.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

/// SHA-1 and SHA-256 of V::lanes messages at once, one message a lane of a vector register. V names the
/// operations of one instruction set; it must be a type of an anonymous namespace, so that nothing compiled
/// for that instruction set has external linkage. Everything is inlined into one straight run of rounds: the
/// sixteen words of the schedule and the state live in registers as far as there are any.
namespace ezio::sha
{

#define EZIO_SHA_INLINE __attribute__((always_inline)) inline

/// How far ahead of the rounds data is asked for, in blocks of 64 bytes. Processors notice by themselves that
/// memory is read in order, but not soon enough of sixteen messages at once.
constexpr std::size_t prefetch_ahead = 8;

template <class V>
EZIO_SHA_INLINE void prefetch(std::byte const *const *data, std::size_t block, std::size_t blocks)
{
	if (block + prefetch_ahead >= blocks)
		return;
	for (unsigned lane = 0; lane < V::lanes; ++lane)
		__builtin_prefetch(data[lane] + (block + prefetch_ahead) * 64);
}

template <class V, unsigned Round>
EZIO_SHA_INLINE void sha1_lane_round(typename V::word (&s)[5], typename V::word (&w)[16])
{
	// The five words change roles from round to round; moving the names costs nothing.
	auto const &a = s[(80 - Round) % 5];
	auto &b = s[(81 - Round) % 5];
	auto const &c = s[(82 - Round) % 5];
	auto const &d = s[(83 - Round) % 5];
	auto &e = s[(84 - Round) % 5];
	if constexpr (Round >= 16) {
		auto const mixed = V::parity(w[(Round + 13) % 16], w[(Round + 8) % 16], w[(Round + 2) % 16]);
		w[Round % 16] = V::template rotate_left<1>(V::exclusive_or(mixed, w[Round % 16]));
	}
	// Before f, which then may be computed in the place of b.
	auto const rotated = V::template rotate_left<30>(b);
	typename V::word f;
	if constexpr (Round < 20)
		f = V::choose(b, c, d);
	else if constexpr (Round >= 40 && Round < 60)
		f = V::majority(b, c, d);
	else
		f = V::parity(b, c, d);
	auto const constant = V::broadcast(sha1_round[Round / 20]);
	// All but the rotation of a is known a round earlier: it is added last.
	auto const early = V::add(V::add(e, f), V::add(w[Round % 16], constant));
	e = V::add(early, V::template rotate_left<5>(a));
	b = rotated;
}

template <class V, unsigned... Round>
EZIO_SHA_INLINE void sha1_lane_rounds(
	typename V::word (&s)[5], typename V::word (&w)[16], std::integer_sequence<unsigned, Round...>)
{
	(sha1_lane_round<V, Round>(s, w), ...);
}

template <class V>
EZIO_SHA_INLINE void sha1_lanes(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	typename V::word h[5];
	for (unsigned i = 0; i < 5; ++i)
		h[i] = V::load_state(states + i * V::lanes);
	for (std::size_t block = 0; block < blocks; ++block) {
		prefetch<V>(data, block, blocks);
		typename V::word w[16];
		V::load_words(w, data, block * 64);
		typename V::word s[5] = {h[0], h[1], h[2], h[3], h[4]};
		sha1_lane_rounds<V>(s, w, std::make_integer_sequence<unsigned, 80>());
		for (unsigned i = 0; i < 5; ++i)
			h[i] = V::add(h[i], s[i]);
	}
	for (unsigned i = 0; i < 5; ++i)
		V::store_state(states + i * V::lanes, h[i]);
}

template <class V, unsigned Round>
EZIO_SHA_INLINE void sha256_lane_round(typename V::word (&s)[8], typename V::word (&w)[16])
{
	using word = typename V::word;
	auto const &a = s[(64 - Round) % 8];
	auto const &b = s[(65 - Round) % 8];
	auto const &c = s[(66 - Round) % 8];
	auto &d = s[(67 - Round) % 8];
	auto const &e = s[(68 - Round) % 8];
	auto const &f = s[(69 - Round) % 8];
	auto const &g = s[(70 - Round) % 8];
	auto &h = s[(71 - Round) % 8];
	if constexpr (Round >= 16) {
		word const x = w[(Round + 1) % 16];
		word const y = w[(Round + 14) % 16];
		word const x_mixed = V::parity(
			V::template rotate_left<25>(x), V::template rotate_left<14>(x), V::template shift_right<3>(x));
		word const y_mixed = V::parity(
			V::template rotate_left<15>(y), V::template rotate_left<13>(y), V::template shift_right<10>(y));
		w[Round % 16] = V::add(V::add(w[Round % 16], w[(Round + 9) % 16]), V::add(x_mixed, y_mixed));
	}
	word const e_mixed = V::parity(
		V::template rotate_left<26>(e), V::template rotate_left<21>(e), V::template rotate_left<7>(e));
	word const a_mixed = V::parity(
		V::template rotate_left<30>(a), V::template rotate_left<19>(a), V::template rotate_left<10>(a));
	word const early = V::add(h, V::add(w[Round % 16], V::broadcast(sha256_round[Round])));
	word const first = V::add(early, V::add(e_mixed, V::choose(e, f, g)));
	d = V::add(d, first);
	h = V::add(first, V::add(a_mixed, V::majority(a, b, c)));
}

template <class V, unsigned... Round>
EZIO_SHA_INLINE void sha256_lane_rounds(
	typename V::word (&s)[8], typename V::word (&w)[16], std::integer_sequence<unsigned, Round...>)
{
	(sha256_lane_round<V, Round>(s, w), ...);
}

template <class V>
EZIO_SHA_INLINE void sha256_lanes(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	typename V::word h[8];
	for (unsigned i = 0; i < 8; ++i)
		h[i] = V::load_state(states + i * V::lanes);
	for (std::size_t block = 0; block < blocks; ++block) {
		prefetch<V>(data, block, blocks);
		typename V::word w[16];
		V::load_words(w, data, block * 64);
		typename V::word s[8] = {h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]};
		sha256_lane_rounds<V>(s, w, std::make_integer_sequence<unsigned, 64>());
		for (unsigned i = 0; i < 8; ++i)
			h[i] = V::add(h[i], s[i]);
	}
	for (unsigned i = 0; i < 8; ++i)
		V::store_state(states + i * V::lanes, h[i]);
}

} // namespace ezio::sha
