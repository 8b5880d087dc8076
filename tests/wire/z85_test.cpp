#include "ctl/wire/z85.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace ezio;
using namespace ezio::wire;

TEST_CASE("Z85 is what RFC 32 of ZeroMQ shows")
{
	std::string const bytes("\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B", 8);
	CHECK(z85_encode(bytes) == "HelloWorld");
	CHECK(z85_decode("HelloWorld").value() == bytes);
}

TEST_CASE("every byte survives the way through Z85")
{
	std::string bytes;
	for (int i = 0; i < 256; ++i)
		bytes.push_back(static_cast<char>(i));
	auto const text = z85_encode(bytes);
	CHECK(text.size() == 320);
	CHECK(z85_decode(text).value() == bytes);
	CHECK(z85_encode(std::string(4, '\xff')) == "%nSc0");
	CHECK(z85_encode("").empty());
}

TEST_CASE("what is no Z85 is refused")
{
	for (auto const *text : {"Hell", "HelloWorl", "Hell\"", "Hel o", "%nSc1", "#####", "Hell\xc3"}) {
		INFO(text);
		auto const decoded = z85_decode(text);
		REQUIRE_FALSE(decoded);
		CHECK(decoded.failure().code == errc::invalid_argument);
	}
	CHECK_FALSE(z85_decode(std::string_view("Hell\0", 5)));
}
