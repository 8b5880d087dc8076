#include "actors/core/receive_shares.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>

using namespace ezio;

namespace
{
constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
} // namespace

TEST_CASE("few connections have a MiB each and many divide the pool")
{
	CHECK(receive_shares::share_of(16 * mib, 0) == mib);
	CHECK(receive_shares::share_of(16 * mib, 1) == mib);
	CHECK(receive_shares::share_of(16 * mib, 16) == mib);
	CHECK(receive_shares::share_of(16 * mib, 32) == 512 * kib);
	CHECK(receive_shares::share_of(12 * mib, 32) == 384 * kib);
}

TEST_CASE("shares stay within the heap, and within the pool where that is cheap")
{
	for (std::uint64_t const pool : {4 * mib, 12 * mib, 16 * mib, 64 * mib}) {
		for (std::size_t connections = 1; connections <= 1000; ++connections) {
			CAPTURE(pool, connections);
			auto const share = receive_shares::share_of(pool, connections);
			REQUIRE(share * connections <= receive_shares::heap_bytes);
			REQUIRE((share * connections <= pool || share <= receive_shares::share_cheap_bytes));
			REQUIRE(share >= receive_shares::share_min_bytes);
		}
	}
	CHECK(receive_shares::share_of(12 * mib, 200) == 72 * kib);
	CHECK(receive_shares::share_of(12 * mib, 5000) == 16 * kib);
}

TEST_CASE("connections are told of a new share when it has changed enough")
{
	receive_shares shares;
	CHECK(shares.share_bytes() == 0);
	CHECK(shares.divide(16 * mib, 1));
	CHECK(shares.share_bytes() == mib);
	CHECK_FALSE(shares.divide(16 * mib, 16));
	CHECK_FALSE(shares.divide(16 * mib, 17));
	CHECK_FALSE(shares.divide(16 * mib, 18));
	CHECK(shares.share_bytes() == mib);
	CHECK(shares.divide(16 * mib, 19));
	CHECK(shares.share_bytes() == 16 * mib / 19);
	CHECK_FALSE(shares.divide(16 * mib, 18));
	CHECK_FALSE(shares.divide(16 * mib, 21));
	CHECK(shares.divide(16 * mib, 38));
	CHECK(shares.divide(16 * mib, 30));
	CHECK(shares.share_bytes() == 16 * mib / 30);
	SECTION("and when it may be the most again")
	{
		CHECK(shares.divide(16 * mib, 18));
		CHECK(shares.share_bytes() == 16 * mib / 18);
		CHECK_FALSE(shares.divide(16 * mib, 17));
		CHECK(shares.divide(16 * mib, 16));
		CHECK(shares.share_bytes() == mib);
		CHECK_FALSE(shares.divide(16 * mib, 1));
	}
	SECTION("and when the pool has")
	{
		CHECK(shares.divide(8 * mib, 30));
		CHECK(shares.share_bytes() == 8 * mib / 30);
	}
}

TEST_CASE("all shares that were told exceed the pool by a seventh at most")
{
	receive_shares shares;
	for (std::size_t connections = 1; connections <= 200; ++connections) {
		shares.divide(16 * mib, connections);
		CAPTURE(connections);
		REQUIRE(std::uint64_t{shares.share_bytes()} * connections <= 16 * mib * 8 / 7 + mib / 8);
	}
}
