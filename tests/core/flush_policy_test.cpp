#include "actors/core/flush_policy.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

struct policy_fixture {
	std::vector<std::uint64_t> bits = std::vector<std::uint64_t>(3);
	dirty_view view;
	flush_rules rules;
	std::vector<block_run> runs;

	policy_fixture()
	{
		view.blocks = 160;
		view.oldest = monotonic_time(1h);
		rules.coalesce_blocks = 4;
		rules.delay = 150ms;
		rules.now = view.oldest;
	}
	void dirty(std::uint32_t first, std::uint32_t count)
	{
		for (auto i = first; i < first + count; ++i)
			bits[i / 64] |= std::uint64_t{1} << (i % 64);
	}
	flush_reason choose()
	{
		runs.clear();
		view.bits = bits;
		return choose_runs(view, rules, runs);
	}
};

} // namespace

TEST_CASE("short young runs of an incomplete piece are not ripe")
{
	policy_fixture f;
	CHECK(f.choose() == flush_reason::none);
	f.dirty(0, 3);
	f.dirty(62, 3);
	CHECK(f.choose() == flush_reason::none);
	CHECK(f.runs.empty());
}

TEST_CASE("a run of the coalescing size is written whole, across words, and short ones wait")
{
	policy_fixture f;
	f.dirty(1, 3);
	f.dirty(60, 70);
	f.dirty(156, 4);
	CHECK(f.choose() == flush_reason::long_run);
	CHECK(f.runs == std::vector<block_run>{{60, 70}, {156, 4}});
}

TEST_CASE("a complete piece, an old block and pressure each take every dirty block")
{
	policy_fixture f;
	f.dirty(0, 1);
	f.dirty(63, 2);
	f.dirty(159, 1);
	std::vector<block_run> const all{{0, 1}, {63, 2}, {159, 1}};
	f.view.is_complete = true;
	CHECK(f.choose() == flush_reason::complete);
	CHECK(f.runs == all);
	f.view.is_complete = false;
	f.rules.now += 149ms;
	CHECK(f.choose() == flush_reason::none);
	f.rules.now += 1ms;
	CHECK(f.choose() == flush_reason::delay);
	CHECK(f.runs == all);
	f.rules.is_pressed = true;
	CHECK(f.choose() == flush_reason::pressure);
	CHECK(f.runs == all);
}

TEST_CASE("nothing dirty is nothing to write under any pressure")
{
	policy_fixture f;
	f.view.is_complete = true;
	f.rules.is_pressed = true;
	CHECK(f.choose() == flush_reason::none);
	CHECK(f.runs.empty());
}

TEST_CASE("parts are swept by device and offset and joined where they touch")
{
	std::vector<write_part> parts{{1, 0, nullptr, 10, 0}, {0, 30, nullptr, 5, 1}, {0, 10, nullptr, 10, 2},
		{0, 20, nullptr, 10, 3}, {0, 36, nullptr, 1, 4}};
	sort_by_offset(parts);
	std::span<write_part const> const sorted = parts;
	CHECK(contiguous_parts(sorted) == 3);
	CHECK(contiguous_parts(sorted.subspan(3)) == 1);
	CHECK(sorted[3].offset_bytes == 36);
	CHECK(sorted[4].device == 1);
	CHECK(contiguous_parts(sorted.subspan(4)) == 1);
}

TEST_CASE("one write never has more buffers than the system takes")
{
	std::vector<write_part> parts;
	for (std::uint32_t i = 0; i < write_parts_max + 1; ++i)
		parts.push_back({0, i, nullptr, 1, 0});
	CHECK(contiguous_parts(parts) == write_parts_max);
}
