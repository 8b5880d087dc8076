#include "ctl/wire/base64.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <string>

using namespace ezio;
using namespace ezio::wire;

TEST_CASE("base64 gives RFC 4648's own examples")
{
	CHECK(base64_encode("") == "");
	CHECK(base64_encode("f") == "Zg==");
	CHECK(base64_encode("fo") == "Zm8=");
	CHECK(base64_encode("foo") == "Zm9v");
	CHECK(base64_encode("foob") == "Zm9vYg==");
	CHECK(base64_encode("fooba") == "Zm9vYmE=");
	CHECK(base64_encode("foobar") == "Zm9vYmFy");
}

TEST_CASE("base64 of any bytes decodes to the same bytes")
{
	auto const seed = std::random_device{}();
	INFO("seed " << seed);
	std::mt19937 random(seed);
	for (std::size_t size = 0; size < 300; ++size) {
		std::string bytes;
		for (std::size_t i = 0; i < size; ++i)
			bytes += static_cast<char>(random());
		auto const decoded = base64_decode(base64_encode(bytes));
		REQUIRE(decoded);
		REQUIRE(*decoded == bytes);
	}
}

TEST_CASE("what base64 could not have produced is refused")
{
	for (auto const *text : {"Z", "Zg", "Zg=", "Zm9v\n", "Zm9=Zm9v", "=m9v", "====", "Zg==Zg==", "Zm 9v",
			 "Z===", "Zm9\xc3", "Zh==", "Zm9=", "Zm-_"}) {
		INFO(text);
		auto const decoded = base64_decode(text);
		REQUIRE_FALSE(decoded);
		CHECK(decoded.failure().code == errc::invalid_argument);
	}
}
