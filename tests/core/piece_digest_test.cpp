#include "actors/core/piece_digest.hpp"

#include "actors/core/partition_stats.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <string>
#include <string_view>

using namespace ezio;

namespace
{

std::span<std::byte const> bytes_of(std::string_view text)
{
	return {reinterpret_cast<std::byte const *>(text.data()), text.size()};
}

template <std::size_t Size>
std::string hex(std::array<std::byte, Size> const &digest)
{
	std::string text;
	for (auto const b : digest) {
		text += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
		text += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15];
	}
	return text;
}

struct keeping_sink : job_sink {
	std::vector<job_ptr> jobs;
	void finished(job_ptr job) override { jobs.push_back(std::move(job)); }
};

} // namespace

TEST_CASE("digests are those of the standards")
{
	CHECK(hex(sha1_of(bytes_of("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d");
	CHECK(hex(sha1_of({})) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	CHECK(hex(sha256_of(bytes_of("abc"))) ==
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a stream's SHA-1 covers all blocks and its SHA-256 each block without padding")
{
	hash_stream stream(true, true);
	stream.add_block(bytes_of("abc"));
	stream.add_block(bytes_of("abcPAD"), 3);
	stream.add_block(bytes_of("PAD"), 0);
	disk_job job;
	stream.finish(job);
	CHECK_FALSE(job.failure);
	CHECK(job.sha1 == sha1_of(bytes_of("abcabcPADPAD")));
	REQUIRE(job.block_sha256.size() == 2);
	CHECK(job.block_sha256[0] == sha256_of(bytes_of("abc")));
	CHECK(job.block_sha256[1] == sha256_of(bytes_of("abc")));
}

TEST_CASE("streams that reuse contexts of abandoned streams start anew")
{
	{
		hash_stream abandoned(true, true);
		abandoned.add_block(bytes_of("leftover"));
	}
	hash_stream stream(true, true);
	stream.add_block(bytes_of("abc"));
	disk_job job;
	stream.finish(job);
	CHECK(job.sha1 == sha1_of(bytes_of("abc")));
	CHECK(job.block_sha256.at(0) == sha256_of(bytes_of("abc")));
}

TEST_CASE("the last task of a stream finishes the job, and every task drops its blocks")
{
	auto arena = block_arena::create(4, 4);
	REQUIRE(arena.has_value());
	partition_stats stats;
	stats.queue_depth = 1;
	keeping_sink sink;
	inline_hash_dispatcher hashers;
	auto const stream = hashers.open_stream(true, false);
	auto const part = [&](std::string_view text) {
		auto block = (*arena)->allocate(block_purpose::receive);
		std::memcpy(block.data(), text.data(), text.size());
		auto const length = static_cast<std::uint32_t>(text.size());
		return hash_task::part{std::move(block), length, length};
	};

	hash_task first;
	first.stream = stream;
	first.parts.push_back(part("ab"));
	first.stats = &stats;
	hashers.submit(std::move(first));
	CHECK(sink.jobs.empty());
	CHECK((*arena)->used_blocks() == 0);

	hash_task last;
	last.stream = stream;
	last.parts.push_back(part("c"));
	last.stats = &stats;
	last.job = std::make_unique<disk_job>();
	last.job->sink = &sink;
	last.job->submitted = monotonic_clock::now();
	hashers.submit(std::move(last));
	REQUIRE(sink.jobs.size() == 1);
	CHECK(sink.jobs[0]->sha1 == sha1_of(bytes_of("abc")));
	CHECK((*arena)->used_blocks() == 0);
	CHECK(stats.hashed_bytes == 3);
	CHECK(stats.queue_depth == 0);
	CHECK(stats.hash_latency.summarize().count == 1);
}
