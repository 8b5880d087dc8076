#include "actors/core/hash_plan.hpp"

#include "actors/core/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

using namespace ezio;

namespace
{

void idle(std::uint32_t *, std::byte const *const *, std::size_t) {}

constexpr sha_kernel single{"single", "single", 1, idle, idle};
constexpr sha_kernel eight{"eight", "eight", 8, idle, idle};
constexpr sha_kernel sixteen{"sixteen", "sixteen", 16, idle, idle};

} // namespace

TEST_CASE("few messages go to the single kernel, many to the lanes that are faster for so many")
{
	// One lane of eight is worth 0.4, one of sixteen 0.5.
	hash_plan const plan({{&single, 1.9, 1.9}, {&eight, 3.2, 3.2}, {&sixteen, 8, 8}});
	CHECK(&plan.choose(sha_kind::sha1, 1) == &single);
	CHECK(&plan.choose(sha_kind::sha1, 3) == &single);
	CHECK(&plan.choose(sha_kind::sha1, 4) == &sixteen);
	CHECK(&plan.choose(sha_kind::sha1, 16) == &sixteen);
	CHECK(&plan.choose(sha_kind::sha1, 1000) == &sixteen);
}

TEST_CASE("each digest has a choice of its own")
{
	hash_plan const plan({{&single, 1, 2}, {&eight, 4, 1}});
	CHECK(&plan.choose(sha_kind::sha1, 8) == &eight);
	CHECK(&plan.choose(sha_kind::sha256, 8) == &single);
}

TEST_CASE("a kernel slower than another at every number of messages is never chosen")
{
	hash_plan const plan({{&single, 4, 4}, {&eight, 3, 3}});
	for (std::size_t messages = 1; messages <= 20; ++messages)
		CHECK(&plan.choose(sha_kind::sha1, messages) == &single);
}

TEST_CASE("a plan by name has the named kernels and OpenSSL's, auto has all")
{
	auto const kernels = available_sha_kernels();
	REQUIRE_FALSE(kernels.empty());
	CHECK(kernels.front()->family == "openssl");
	auto const automatic = hash_plan::make("auto");
	REQUIRE(automatic);
	CHECK((*automatic)->rates().size() == kernels.size());
	for (auto const &rate : (*automatic)->rates()) {
		CHECK(rate.sha1_bytes_per_second > 0);
		CHECK(rate.sha256_bytes_per_second > 0);
	}
	for (auto const family : sha_kernel_families()) {
		INFO("family " << family);
		auto const is_here = std::any_of(kernels.begin(), kernels.end(),
			[&](sha_kernel const *kernel) { return kernel->family == family; });
		auto const plan = hash_plan::make(family);
		REQUIRE(plan.has_value() == is_here);
		if (!is_here) {
			CHECK(plan.failure().code == errc::unsupported);
			WARN("skipped: this processor has no " << family);
			continue;
		}
		for (auto const &rate : (*plan)->rates())
			CHECK((rate.kernel->family == family || rate.kernel->family == "openssl"));
	}
}

TEST_CASE("OpenSSL alone means OpenSSL for any number of messages")
{
	auto const plan = hash_plan::make("openssl");
	REQUIRE(plan);
	CHECK((*plan)->choose(sha_kind::sha1, 16).family == "openssl");
	CHECK((*plan)->choose(sha_kind::sha256, 16).family == "openssl");
}

TEST_CASE("a plan of an unknown name is an error")
{
	auto const plan = hash_plan::make("fast");
	REQUIRE_FALSE(plan);
	CHECK(plan.failure().code == errc::invalid_argument);
}
