#include "actors/core/warm_up.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

constexpr std::uint32_t mib = 1024 * 1024;

} // namespace

TEST_CASE("a warm-up covers the payload in order, at most a mebibyte of one piece at a time")
{
	piece_geometry const pieces{5 * mib + 100, 2 * mib};
	warm_up course(pieces);
	std::uint64_t covered = 0;
	while (auto const s = course.next(1)) {
		CHECK(pieces.piece_offset(s->piece) + s->offset_bytes == covered);
		CHECK(s->offset_bytes + s->length_bytes <= pieces.piece_size(s->piece));
		CHECK(s->length_bytes <= mib);
		covered += s->length_bytes;
		CHECK_FALSE(course.is_over(1));
		course.ended(s->length_bytes, s->length_bytes, std::nullopt);
	}
	CHECK(covered == pieces.total_bytes);
	CHECK(course.is_over(1));
	CHECK(course.cached_bytes() == pieces.total_bytes);
}

TEST_CASE("a warm-up goes on while some partition has room and ends when none has")
{
	piece_geometry const pieces{std::uint64_t{1000} * mib, mib};
	warm_up course(pieces);
	for (int i = 0; i < 63; ++i) {
		REQUIRE(course.next(2));
		course.ended(mib, 0, std::nullopt);
	}
	REQUIRE(course.next(2));
	course.ended(mib, mib, std::nullopt);
	for (int i = 0; i < 64; ++i) {
		REQUIRE(course.next(2));
		course.ended(mib, mib / 2, std::nullopt);
	}
	CHECK_FALSE(course.next(2));
	CHECK(course.is_over(2));
	CHECK(course.cached_bytes() == 33 * std::uint64_t{mib});
	// Where there are more partitions, one of them may still have room.
	CHECK(course.next(8));
}

TEST_CASE("a warm-up ends with the first read that fails, or when it is cancelled, once nothing is under way")
{
	piece_geometry const pieces{10 * mib, mib};
	warm_up failing(pieces);
	REQUIRE(failing.next(1));
	REQUIRE(failing.next(1));
	failing.ended(mib, 0, make_error(errc::io_error, "first"));
	CHECK_FALSE(failing.next(1));
	CHECK_FALSE(failing.is_over(1));
	failing.ended(mib, 0, make_error(errc::io_error, "second"));
	CHECK(failing.is_over(1));
	REQUIRE(failing.failure());
	CHECK(failing.failure()->message == "first");

	warm_up cancelled(pieces);
	REQUIRE(cancelled.next(1));
	cancelled.cancel();
	CHECK_FALSE(cancelled.next(1));
	CHECK(cancelled.under_way() == 1);
	cancelled.ended(mib, mib, std::nullopt);
	CHECK(cancelled.is_over(1));
	CHECK_FALSE(cancelled.failure());
}
