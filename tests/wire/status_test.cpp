#include "ctl/wire/status.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace ezio::wire;

TEST_CASE("exit statuses are the documented numbers")
{
	CHECK(static_cast<int>(exit_status_of(errc::internal)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::not_found)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::ambiguous)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::already_exists)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::no_memory)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::aborted)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::protocol)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::unsupported)) == 1);
	CHECK(static_cast<int>(exit_status_of(errc::invalid_argument)) == 2);
	CHECK(static_cast<int>(exit_status_of(errc::unknown_key)) == 2);
	CHECK(static_cast<int>(exit_status_of(errc::out_of_range)) == 2);
	CHECK(static_cast<int>(exit_status_of(errc::invalid_torrent)) == 3);
	CHECK(static_cast<int>(exit_status_of(errc::target_refused)) == 3);
	CHECK(static_cast<int>(exit_status_of(errc::io_error)) == 4);
	CHECK(static_cast<int>(exit_status_of(errc::unexpected_end)) == 4);
	CHECK(static_cast<int>(exit_status_of(errc::integrity)) == 5);
	CHECK(static_cast<int>(exit_status_of(errc::timed_out)) == 6);
	CHECK(static_cast<int>(exit_status_of(errc::unreachable)) == 7);
	CHECK(static_cast<int>(exit_status_of(errc::denied)) == 7);
	CHECK(static_cast<int>(exit_status_of(errc::interrupted)) == 8);
}
