#include "actors/core/sha_stream.hpp"

#include "actors/core/piece_digest.hpp"
#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace ezio;

namespace
{

using bytes = std::vector<std::byte>;

/// Every byte differs from its neighbours and from the same place of other messages.
bytes message(std::size_t length, unsigned seed)
{
	std::minstd_rand random(seed + 1);
	bytes made(length);
	std::generate(made.begin(), made.end(), [&] { return static_cast<std::byte>(random() >> 7); });
	return made;
}

/// What OpenSSL's documented interface says, as the words of a digest of either kind.
bytes expected(sha_kind kind, std::span<std::byte const> data)
{
	if (kind == sha_kind::sha1) {
		auto const digest = sha1_of(data);
		return {digest.begin(), digest.end()};
	}
	auto const digest = sha256_of(data);
	return {digest.begin(), digest.end()};
}

bytes digest_of(sha_stream const &stream)
{
	if (stream.kind() == sha_kind::sha1) {
		auto const digest = stream.digest<20>();
		return {digest.begin(), digest.end()};
	}
	auto const digest = stream.digest<32>();
	return {digest.begin(), digest.end()};
}

/// Calls @p check for each kernel of this machine and each digest, with a plan that knows no other kernel.
template <class Check>
void for_each_kernel(Check &&check)
{
	auto const kernels = available_sha_kernels();
	for (auto const family : sha_kernel_families()) {
		if (std::none_of(kernels.begin(), kernels.end(),
				[&](sha_kernel const *kernel) { return kernel->family == family; }))
			WARN("skipped: this processor has no " << family);
	}
	for (auto const *const kernel : kernels) {
		hash_plan const plan({{kernel, 1, 1}});
		for (auto const kind : {sha_kind::sha1, sha_kind::sha256}) {
			INFO("kernel " << kernel->name << (kind == sha_kind::sha1 ? ", SHA-1" : ", SHA-256"));
			check(plan, *kernel, kind);
		}
	}
}

/// Hashes whole messages together and compares each digest; number of the first wrong one, or none.
std::size_t first_wrong(
	hash_plan const &plan, sha_kind kind, std::vector<std::span<std::byte const>> const &all)
{
	std::vector<sha_stream> streams(all.size(), sha_stream(kind));
	std::vector<sha_part> parts;
	for (std::size_t i = 0; i < all.size(); ++i)
		parts.push_back({&streams[i], {&all[i], 1}, true});
	hash_parts(plan, parts);
	for (std::size_t i = 0; i < all.size(); ++i) {
		if (digest_of(streams[i]) != expected(kind, all[i]))
			return i;
	}
	return all.size();
}

} // namespace

TEST_CASE("every kernel hashes messages of every length as OpenSSL does")
{
	// From 0 to beyond several blocks, and round the ends of many blocks.
	std::vector<bytes> messages;
	for (std::size_t length = 0; length <= 300; ++length)
		messages.push_back(message(length, static_cast<unsigned>(length)));
	for (std::size_t const blocks : {15, 16, 17, 255, 256, 257}) {
		for (std::size_t const rest : {0, 1, 55, 56, 57, 63})
			messages.push_back(
				message(blocks * sha_block_bytes + rest, static_cast<unsigned>(blocks + rest)));
	}
	for_each_kernel([&](hash_plan const &plan, sha_kernel const &, sha_kind kind) {
		for (std::size_t i = 0; i < messages.size(); ++i) {
			INFO("alone, " << messages[i].size() << " bytes");
			REQUIRE(first_wrong(plan, kind, {messages[i]}) == 1);
		}
		std::vector<std::span<std::byte const>> const all(messages.begin(), messages.end());
		CHECK(first_wrong(plan, kind, all) == all.size());
	});
}

TEST_CASE("every kernel reads messages at every alignment")
{
	auto const memory = message(64 + 3 * sha_block_bytes + 20, 1);
	std::vector<std::span<std::byte const>> all;
	for (std::size_t shift = 0; shift < 64; ++shift)
		all.push_back(std::span(memory).subspan(shift, 3 * sha_block_bytes + 20));
	for_each_kernel([&](hash_plan const &plan, sha_kernel const &, sha_kind kind) {
		CHECK(first_wrong(plan, kind, all) == all.size());
		for (std::size_t shift = 0; shift < all.size(); ++shift) {
			INFO("alone, at " << shift);
			REQUIRE(first_wrong(plan, kind, {all[shift]}) == 1);
		}
	});
}

TEST_CASE("every number of filled lanes gives the digests of the messages alone")
{
	for_each_kernel([&](hash_plan const &plan, sha_kernel const &kernel, sha_kind kind) {
		std::vector<bytes> messages;
		std::vector<std::span<std::byte const>> all;
		for (std::size_t count = 1; count <= 2 * kernel.lanes + 1; ++count) {
			messages.push_back(message(5 * sha_block_bytes + count, static_cast<unsigned>(count)));
			all.assign(messages.begin(), messages.end());
			INFO(count << " messages");
			REQUIRE(first_wrong(plan, kind, all) == count);
		}
	});
}

TEST_CASE("messages that come in random parts, side by side, have the digests of the wholes")
{
	auto const seed = test::test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	for_each_kernel([&](hash_plan const &plan, sha_kernel const &, sha_kind kind) {
		std::mt19937_64 random(seed);
		auto const below = [&](std::size_t limit) { return random() % limit; };
		for (int round = 0; round < 20; ++round) {
			struct growing {
				bytes whole;
				sha_stream stream;
				std::size_t hashed = 0;
				std::vector<std::span<std::byte const>> pieces;
				bool is_ended = false;
			};
			std::vector<growing> all;
			auto const count = 1 + below(40);
			for (std::size_t i = 0; i < count; ++i)
				all.push_back(
					{message(below(3000), static_cast<unsigned>(random())), sha_stream(kind), 0, {}, false});
			while (std::any_of(all.begin(), all.end(), [](growing const &g) { return !g.is_ended; })) {
				std::vector<sha_part> parts;
				for (auto &g : all) {
					if (g.is_ended || below(3) == 0)
						continue;
					g.pieces.clear();
					for (auto left = below(4); left > 0; --left) {
						auto const length = below(std::min<std::size_t>(g.whole.size() - g.hashed, 400) + 1);
						g.pieces.push_back(std::span(g.whole).subspan(g.hashed, length));
						g.hashed += length;
					}
					g.is_ended = g.hashed == g.whole.size() && below(2) == 0;
					parts.push_back({&g.stream, g.pieces, g.is_ended});
				}
				hash_parts(plan, parts);
			}
			for (auto const &g : all) {
				INFO(g.whole.size() << " bytes");
				REQUIRE(digest_of(g.stream) == expected(kind, g.whole));
			}
		}
	});
}

TEST_CASE("a message may change kernels between its parts")
{
	// Alone it is hashed by one kernel, among others by the next: the state must mean the same to all.
	auto const kernels = available_sha_kernels();
	for (auto const kind : {sha_kind::sha1, sha_kind::sha256}) {
		auto const whole = message(kernels.size() * 1000, 5);
		sha_stream stream(kind);
		for (std::size_t i = 0; i < kernels.size(); ++i) {
			hash_plan const plan({{kernels[i], 1, 1}});
			auto const bytes = std::span<std::byte const>(whole).subspan(i * 1000, 1000);
			sha_part const part{&stream, {&bytes, 1}, i + 1 == kernels.size()};
			hash_parts(plan, {&part, 1});
		}
		CHECK(digest_of(stream) == expected(kind, whole));
	}
}

TEST_CASE("hashing no parts at all is nothing to do")
{
	hash_parts(*default_hash_plan(), {});
	sha_stream stream(sha_kind::sha1);
	sha_part const part{&stream, {}, true};
	hash_parts(*default_hash_plan(), {&part, 1});
	CHECK(digest_of(stream) == expected(sha_kind::sha1, {}));
}
