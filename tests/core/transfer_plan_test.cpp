#include "actors/core/transfer_plan.hpp"

#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <vector>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr direct_alignment sectors_of_512{512, 512, 4096};

struct aligned_memory {
	alignas(4096) std::byte bytes[256 * 1024];
};

/// Appends a buffer, to the last one if it follows it in memory.
void join(std::vector<iovec> &buffers, iovec const &next)
{
	if (next.iov_len == 0)
		return;
	if (!buffers.empty() &&
		static_cast<char *>(buffers.back().iov_base) + buffers.back().iov_len == next.iov_base)
		buffers.back().iov_len += next.iov_len;
	else
		buffers.push_back(next);
}

} // namespace

TEST_CASE("an aligned transfer of whole pages is one direct part")
{
	auto const memory = std::make_unique<aligned_memory>();
	std::vector<iovec> const buffers{{memory->bytes, 16384}, {memory->bytes + 32768, 16384}};
	CHECK(plan_transfer(buffers, 8192, sectors_of_512, 1 << 20) ==
		std::vector<transfer_part>{{{8192, 32768}, true}});
}

TEST_CASE("partly covered pages at both ends are buffered although their sectors are aligned")
{
	auto const memory = std::make_unique<aligned_memory>();
	std::vector<iovec> const buffers{{memory->bytes, 16384}};
	CHECK(plan_transfer(buffers, 512, sectors_of_512, 1 << 20) ==
		std::vector<transfer_part>{{{512, 3584}, false}, {{4096, 12288}, true}, {{16384, 512}, false}});
}

TEST_CASE("a transfer within one page is buffered")
{
	auto const memory = std::make_unique<aligned_memory>();
	std::vector<iovec> const buffers{{memory->bytes, 3584}};
	CHECK(plan_transfer(buffers, 512, sectors_of_512, 1 << 20) ==
		std::vector<transfer_part>{{{512, 3584}, false}});
}

TEST_CASE("the last page of a device that does not end on a page is buffered")
{
	auto const memory = std::make_unique<aligned_memory>();
	std::vector<iovec> const buffers{{memory->bytes, 8192 + 512}};
	CHECK(plan_transfer(buffers, 0, sectors_of_512, 8192 + 512) ==
		std::vector<transfer_part>{{{0, 8192}, true}, {{8192, 512}, false}});
}

TEST_CASE("pages that a misaligned buffer touches are buffered, the others direct")
{
	auto const memory = std::make_unique<aligned_memory>();
	std::vector<iovec> const buffers{
		{memory->bytes, 16384}, {memory->bytes + 16384 + 8, 512}, {memory->bytes + 20480, 16384 - 512}};
	CHECK(plan_transfer(buffers, 0, sectors_of_512, 1 << 20) ==
		std::vector<transfer_part>{{{0, 16384}, true}, {{16384, 4096}, false}, {{20480, 12288}, true}});
}

TEST_CASE("a plan covers the transfer once, and its direct parts are aligned buffers on whole pages")
{
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	auto const memory = std::make_unique<aligned_memory>();
	for (int round = 0; round < 2000; ++round) {
		std::uint64_t const unit = round % 2 == 0 ? 512 : 1;
		std::vector<iovec> buffers;
		std::uint64_t total = 0;
		for (auto count = 1 + random() % 6; count > 0; --count) {
			auto const length = random() % (16384 / unit) * unit;
			auto *place = memory->bytes + random() % (32768 / unit) * unit;
			// Some follow each other in memory.
			if (!buffers.empty() && random() % 2 == 0)
				place = static_cast<decltype(place)>(buffers.back().iov_base) + buffers.back().iov_len;
			buffers.push_back({place, length});
			total += length;
		}
		auto const offset = random() % (65536 / unit) * unit;
		auto const direct_end = random() % 131072;
		auto next = offset;
		std::vector<iovec> clipped;
		std::vector<iovec> expected;
		std::vector<iovec> all;
		for (auto const &buffer : buffers)
			join(expected, buffer);
		for (auto const &part : plan_transfer(buffers, offset, sectors_of_512, direct_end)) {
			REQUIRE(part.device.offset_bytes == next);
			REQUIRE(part.device.length_bytes > 0);
			next = part.device.end_bytes();
			clip_buffers(buffers, offset, part.device, clipped);
			std::uint64_t clipped_bytes = 0;
			for (auto const &buffer : clipped) {
				clipped_bytes += buffer.iov_len;
				auto const before = all.size();
				join(all, buffer);
				// Only where a part begins: within one, neighbours are one buffer.
				REQUIRE((all.size() > before || &buffer == &clipped.front()));
				if (part.is_direct) {
					REQUIRE(reinterpret_cast<std::uintptr_t>(buffer.iov_base) % 512 == 0);
					REQUIRE(buffer.iov_len % 512 == 0);
				}
			}
			REQUIRE(clipped_bytes == part.device.length_bytes);
			if (part.is_direct) {
				REQUIRE(part.device.offset_bytes % 4096 == 0);
				REQUIRE(part.device.length_bytes % 4096 == 0);
				REQUIRE(part.device.end_bytes() <= direct_end);
			}
		}
		REQUIRE(next == offset + total);
		REQUIRE(std::ranges::equal(all, expected, [](iovec const &a, iovec const &b) {
			return a.iov_base == b.iov_base && a.iov_len == b.iov_len;
		}));
	}
}
