#include "actors/core/error.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace ezio;

TEST_CASE("a failed call on a device says where it failed")
{
	auto const failed = make_io_error("pwritev", "/dev/loop0", 1048576, 262144, ENOSPC);
	CHECK(failed.code == errc::io_error);
	CHECK(to_string(failed) ==
		"pwritev /dev/loop0 offset 1048576 length 262144: ENOSPC (No space left on device)");
	CHECK(make_io_error("preadv", "/dev/loop0", 0, 4096, 0).code == errc::unexpected_end);
}

TEST_CASE("a failed call that is about no range names none")
{
	auto const failed = make_system_error("fdatasync", "/dev/loop0", EIO);
	CHECK(failed.code == errc::io_error);
	CHECK_FALSE(failed.offset_bytes.has_value());
	CHECK_FALSE(failed.length_bytes.has_value());
	CHECK(to_string(failed) == "fdatasync /dev/loop0: EIO (Input/output error)");

	auto const explained = make_system_error("signalfd", {}, EMFILE, "signals");
	CHECK(explained.message == "signals");
	CHECK(explained.device.empty());
	CHECK(explained.os_errno == EMFILE);
}

TEST_CASE("a file that is not there is not found, and no failure of a device")
{
	CHECK(make_path_error("open", "/a", ENOENT).code == errc::not_found);
	CHECK(make_path_error("open", "/a/b", ENOTDIR).code == errc::not_found);
	CHECK(make_path_error("open", "/a", EACCES).code == errc::io_error);
	CHECK(make_path_error("open", "/a", ENOENT).os_errno == ENOENT);
}

TEST_CASE("every code has one name and comes back from it")
{
	for (auto number = static_cast<int>(errc::internal); number <= static_cast<int>(errc::unsupported);
		 ++number) {
		auto const code = static_cast<errc>(number);
		CAPTURE(number);
		CHECK(errc_from_string(to_string(code)) == code);
	}
	CHECK_FALSE(errc_from_string("no-such-code").has_value());
}
