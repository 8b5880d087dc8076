#include "actors/core/block_copy.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <vector>

using namespace ezio;

TEST_CASE("a copy of any length from any address has the bytes and touches no others")
{
	constexpr std::size_t longest = 16 * 1024;
	constexpr std::byte untouched{0xee};
	std::vector<std::byte> source(longest + 64);
	for (std::size_t i = 0; i < source.size(); ++i)
		source[i] = static_cast<std::byte>(i * 31 + i / 251);
	alignas(64) static std::array<std::byte, longest + 64> target;

	auto const check = [&](std::size_t offset, std::size_t length) {
		INFO("from offset " << offset << ", " << length << " bytes");
		target.fill(untouched);
		std::span<std::byte const> const from(source.data() + offset, length);
		copy_to_block(target.data(), from);
		REQUIRE(std::equal(from.begin(), from.end(), target.begin()));
		REQUIRE(std::all_of(target.begin() + static_cast<std::ptrdiff_t>(length), target.end(),
			[&](std::byte b) { return b == untouched; }));
	};
	for (std::size_t length = 0; length <= 300; ++length)
		check(length % 17, length);
	for (std::size_t offset = 0; offset < 64; ++offset)
		check(offset, longest - offset % 3);
}
