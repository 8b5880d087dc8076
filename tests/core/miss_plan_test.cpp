#include "actors/core/miss_plan.hpp"

#include "tests/core/engine_fixture.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace ezio::test;

namespace
{

struct plan_fixture {
	disk_job of(std::shared_ptr<storage> const &target, int piece)
	{
		disk_job job;
		job.target = target;
		job.piece = piece_index{piece};
		return job;
	}

	engine_fixture f;
	std::shared_ptr<storage> a = f.add_storage({{"0", 1024 * 1024, false}}, 256 * 1024);
	std::shared_ptr<storage> b = f.add_storage({{"100000", 1024 * 1024, false}}, 256 * 1024);
	miss_plan plan;
};

} // namespace

TEST_CASE("a plan covers the blocks of its stretches and no others")
{
	plan_fixture p;
	auto const job = p.of(p.a, 1);
	p.plan.add(job, 4, 2);
	CHECK_FALSE(p.plan.covers(job, 3));
	CHECK(p.plan.covers(job, 4));
	CHECK(p.plan.covers(job, 5));
	CHECK_FALSE(p.plan.covers(job, 6));
	CHECK_FALSE(p.plan.covers(p.of(p.a, 0), 4));
	CHECK_FALSE(p.plan.covers(p.of(p.b, 1), 4));
	p.plan.clear();
	CHECK_FALSE(p.plan.covers(job, 4));
}

TEST_CASE("stretches that touch or overlap become one, in the order of the device's pieces")
{
	plan_fixture p;
	auto const second = p.of(p.b, 0);
	auto const late = p.of(p.a, 2);
	auto const early = p.of(p.a, 1);
	p.plan.add(second, 0, 1);
	p.plan.add(late, 2, 2);
	p.plan.add(early, 8, 4);
	p.plan.add(late, 0, 2);
	p.plan.add(early, 6, 3);
	p.plan.add(early, 14, 1);
	auto const merged = p.plan.merge();
	REQUIRE(merged.size() == 4);
	CHECK(merged[0].job == &early);
	CHECK(merged[0].first == 6);
	CHECK(merged[0].count == 6);
	CHECK(merged[1].first == 14);
	CHECK(merged[1].count == 1);
	CHECK(merged[2].job->piece == piece_index{2});
	CHECK(merged[2].first == 0);
	CHECK(merged[2].count == 4);
	CHECK(merged[3].job == &second);
}
