#include "actors/core/io_engine.hpp"

#include "tests/support/scripted_ring.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>

#include <cerrno>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::test;

namespace
{

error refusal_of(int os_errno)
{
	auto e = make_error(errc::io_error, {});
	e.operation = "io_uring_setup";
	e.os_errno = os_errno;
	return e;
}

/// Rings that a test grants or refuses.
struct ring_office {
	int refused_with = 0;
	int asked = 0;
	std::vector<error> told;

	std::shared_ptr<io_engine_choice> choice(io_engine wanted)
	{
		return std::make_shared<io_engine_choice>(
			wanted, [this](error const &why) { told.push_back(why); },
			[this]() -> result<std::unique_ptr<io_ring>> {
				++asked;
				if (refused_with != 0)
					return refusal_of(refused_with);
				return std::unique_ptr<io_ring>(std::make_unique<scripted_ring>());
			});
	}
};

device_geometry geometry(bool is_direct)
{
	device_geometry g;
	g.is_direct = is_direct;
	return g;
}

} // namespace

TEST_CASE("the words of an I/O engine are read, others are refused")
{
	CHECK(io_engine_from_string("auto").value() == io_engine::automatic);
	CHECK(io_engine_from_string("threads").value() == io_engine::threads);
	CHECK(io_engine_from_string("uring").value() == io_engine::uring);
	CHECK(io_engine_from_string("aio").failure().code == errc::out_of_range);
}

TEST_CASE("threads never asks for a ring")
{
	ring_office office;
	auto const choice = office.choice(io_engine::threads);
	CHECK(choice->ring_for(geometry(true)) == nullptr);
	CHECK(choice->in_force() == "threads");
	CHECK(office.asked == 0);
}

TEST_CASE("uring gives every device a ring, auto those with direct I/O")
{
	ring_office office;
	auto const choice = office.choice(io_engine::uring);
	CHECK(choice->ring_for(geometry(true)) != nullptr);
	CHECK(choice->ring_for(geometry(false)) != nullptr);
	CHECK(choice->in_force() == "uring");
	choice->choose(io_engine::automatic);
	CHECK(choice->ring_for(geometry(true)) != nullptr);
	CHECK(choice->ring_for(geometry(false)) == nullptr);
	CHECK(choice->in_force() == "uring with direct I/O");
	CHECK(office.told.empty());
}

TEST_CASE("where rings are refused all block, and the reason is told once")
{
	auto const os_errno = GENERATE(ENOSYS, EPERM, ENOMEM);
	auto const wanted = GENERATE(io_engine::automatic, io_engine::uring);
	ring_office office;
	office.refused_with = os_errno;
	auto const choice = office.choice(wanted);
	for (int handle = 0; handle < 3; ++handle)
		CHECK(choice->ring_for(geometry(true)) == nullptr);
	CHECK(choice->in_force() == "threads");
	REQUIRE(office.told.size() == 1);
	CHECK(office.told[0].operation == "io_uring_setup");
	CHECK(office.told[0].os_errno == os_errno);
	CHECK(office.asked == 1);
}

TEST_CASE("a refusal that comes later is told, and a new choice asks again")
{
	ring_office office;
	auto const choice = office.choice(io_engine::uring);
	CHECK(choice->ring_for(geometry(true)) != nullptr);
	office.refused_with = ENOMEM;
	CHECK(choice->ring_for(geometry(true)) == nullptr);
	CHECK(choice->in_force() == "threads");
	choice->refuse(refusal_of(EIO));
	CHECK(office.told.size() == 1);
	office.refused_with = 0;
	CHECK(choice->ring_for(geometry(true)) == nullptr);
	choice->choose(io_engine::uring);
	CHECK(choice->ring_for(geometry(true)) != nullptr);
	CHECK(choice->in_force() == "uring");
}

TEST_CASE("the kernel's refusal of a ring carries its errno")
{
	// The undefined behaviour sanitizer needs descriptors to look at an object of a type that it has not
	// seen, or not lately; it has seen this one then.
	static_cast<void>(make_io_ring());
	rlimit before{};
	REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
	rlimit none = before;
	none.rlim_cur = 0;
	REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
	auto const ring = make_io_ring();
	REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
	REQUIRE_FALSE(ring);
	CHECK(ring.failure().operation == "io_uring_setup");
	// EMFILE where there are rings; what comes first is the kernel's choice where there are none.
	CHECK((ring.failure().os_errno == EMFILE || ring.failure().os_errno == ENOSYS ||
		ring.failure().os_errno == EPERM));
}
