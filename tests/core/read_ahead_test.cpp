#include "actors/core/read_ahead.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

namespace
{

constexpr std::uint32_t limit = 64;
constexpr std::uint32_t piece_blocks = 256;

struct fixture {
	read_ahead policy;
	fixture() { policy.set_limit(limit); }

	std::uint32_t at(std::uint32_t index, std::uint32_t run_before = 0, bool is_shared = false) const
	{
		return policy.decide({index, piece_blocks, run_before, is_shared});
	}
};

} // namespace

TEST_CASE_METHOD(fixture, "nothing is read ahead of a lone block in the middle of a piece")
{
	CHECK(at(100) == 1);
	CHECK(at(piece_blocks - 1) == 1);
	policy.piece_ended();
	policy.piece_ended();
	CHECK(at(100) == 1);
}

TEST_CASE_METHOD(
	fixture, "the start of a piece is read a quarter of the way, and all of it once pieces are read whole")
{
	CHECK(at(0) == limit / 4);
	policy.piece_ended();
	CHECK(at(0) == limit / 4);
	policy.piece_ended();
	CHECK(at(0) == limit);
	CHECK(policy.reads_on());
	policy.went_unused(0);
	CHECK(at(0) == limit);
	policy.went_unused(1);
	CHECK_FALSE(policy.reads_on());
	CHECK(at(0) == limit / 4);
}

TEST_CASE_METHOD(fixture, "reading on in a piece goes further each time, up to the limit")
{
	CHECK(at(1, 1) == limit / 4);
	CHECK(at(16, 16) == 32);
	CHECK(at(48, 48) == limit);
	CHECK(at(200, 200) == piece_blocks - 200);
	policy.piece_ended();
	policy.piece_ended();
	CHECK(at(1, 1) == limit);
}

TEST_CASE_METHOD(fixture, "a piece that several ask for is read as far as allowed from anywhere")
{
	CHECK(at(7, 0, true) == limit);
	CHECK(at(piece_blocks - 5, 0, true) == 5);
}

TEST_CASE_METHOD(fixture, "no limit ever makes a read empty or longer than its piece")
{
	for (std::uint32_t allowed : {0u, 1u, 2u, 3u, 1000u}) {
		policy.set_limit(allowed);
		CHECK_FALSE(policy.reads_on());
		for (std::uint32_t index : {0u, 1u, 254u, 255u}) {
			for (auto const is_shared : {false, true}) {
				auto const blocks = at(index, index, is_shared);
				CHECK(blocks >= 1);
				CHECK(blocks <= std::max(allowed, 1u));
				CHECK(index + blocks <= piece_blocks);
			}
		}
	}
}
