#include "actors/core/submission_pace.hpp"

#include <catch2/catch.hpp>

#include <initializer_list>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

struct fixture {
	submission_pace pace;
	monotonic_time now{1h};

	void come(std::size_t jobs, job_kind kind = job_kind::write)
	{
		for (std::size_t i = 0; i < jobs; ++i)
			pace.came(kind);
	}
	bool goes() const { return pace.due(now) == now; }
};

} // namespace

TEST_CASE_METHOD(fixture, "the first jobs and those after a pause go at once")
{
	come(1);
	CHECK(goes());
	pace.went(now);
	now += submission_pace::gap;
	come(1);
	CHECK(goes());
}

TEST_CASE_METHOD(fixture, "what follows soon waits for the end of the gap, however often it is asked")
{
	pace.went(now);
	auto const end = now + submission_pace::gap;
	for (auto const step : {0us, 300us, 600us}) {
		now += step;
		come(1, step == 300us ? job_kind::read : job_kind::write);
		CHECK(pace.due(now) == end);
	}
	now += 50us;
	CHECK(pace.due(now) == now + submission_pace::wait_min);
	now += 50us;
	CHECK(goes());
}

TEST_CASE_METHOD(fixture, "a clock that goes back makes nothing wait")
{
	pace.went(now + 1h);
	come(1);
	CHECK(goes());
}

TEST_CASE_METHOD(fixture, "enough blocks for a large write do not wait")
{
	pace.went(now);
	come(submission_pace::jobs_max - 1);
	CHECK_FALSE(goes());
	come(1);
	CHECK(goes());
	pace.went(now);
	come(submission_pace::jobs_max - 1);
	CHECK_FALSE(goes());
}

TEST_CASE_METHOD(fixture, "what somebody waits for takes along all that came before it, and only that")
{
	for (auto const kind : {job_kind::hash_piece, job_kind::hash_block, job_kind::clear_piece, job_kind::open,
			 job_kind::write_back, job_kind::sync, job_kind::release, job_kind::discard, job_kind::warm}) {
		CAPTURE(static_cast<int>(kind));
		pace.went(now);
		come(1);
		CHECK_FALSE(goes());
		come(1, kind);
		come(1);
		CHECK(goes());
		pace.went(now);
		come(1);
		CHECK_FALSE(goes());
	}
}
