// bench_hash [--runs N] [--size MiB]: how fast one thread hashes, by digest, kernel and lanes filled, next to
// OpenSSL's EVP interface measured in turn with it. Prints a table; docs/benchmarks.md explains it.

#include "actors/core/multi_digest.hpp"
#include "actors/core/sha_lanes.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

using namespace ezio;

namespace
{

constexpr std::uint32_t piece_blocks = 256; // pieces of 4 MiB

struct options {
	int runs = 5;
	std::size_t size_mib = 64;
};

[[noreturn]] void fail(char const *what)
{
	std::fprintf(stderr, "bench_hash: %s\n", what);
	std::exit(1);
}

/// Seconds of processor time of this thread: what else runs on the machine does not count.
double thread_seconds()
{
	timespec now{};
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
		fail("no thread clock");
	return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double gigabytes_per_second(std::size_t bytes, std::function<void()> const &work)
{
	auto const start = thread_seconds();
	work();
	return static_cast<double>(bytes) / 1e9 / (thread_seconds() - start);
}

double median(std::vector<double> values)
{
	std::sort(values.begin(), values.end());
	return values[values.size() / 2];
}

struct context_deleter {
	void operator()(EVP_MD_CTX *context) const { EVP_MD_CTX_free(context); }
};

/// The data: blocks of the arena, as pieces come.
class sample
{
public:
	explicit sample(std::size_t size_mib)
	{
		auto const blocks = static_cast<std::uint32_t>(size_mib * 1024 * 1024 / block_bytes);
		auto made = block_arena::create(2 * blocks, 2 * blocks); // half of it may be short of the reserve
		if (!made)
			fail("no memory");
		m_arena = std::move(*made);
		for (std::uint32_t i = 0; i < blocks; ++i) {
			m_blocks.push_back(m_arena->allocate(block_purpose::receive));
			if (!m_blocks.back())
				fail("no memory");
			std::memset(m_blocks.back().data(), static_cast<int>(i), block_bytes);
		}
	}
	std::vector<block_ref> const &blocks() const { return m_blocks; }
	std::size_t size_bytes() const { return m_blocks.size() * block_bytes; }

private:
	std::unique_ptr<block_arena> m_arena;
	std::vector<block_ref> m_blocks;
};

/// Piece by piece for SHA-1, block by block for SHA-256, through EVP.
void hash_by_openssl(sample const &data, sha_kind kind)
{
	std::unique_ptr<EVP_MD_CTX, context_deleter> const context(EVP_MD_CTX_new());
	auto const *const algorithm = kind == sha_kind::sha1 ? EVP_sha1() : EVP_sha256();
	auto const message_blocks = kind == sha_kind::sha1 ? piece_blocks : 1;
	unsigned char digest[EVP_MAX_MD_SIZE];
	auto const &blocks = data.blocks();
	for (std::size_t first = 0; first < blocks.size(); first += message_blocks) {
		bool is_done = EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1;
		for (std::size_t i = first; i < first + message_blocks && i < blocks.size(); ++i)
			is_done = is_done && EVP_DigestUpdate(context.get(), blocks[i].data(), block_bytes) == 1;
		if (!is_done || EVP_DigestFinal_ex(context.get(), digest, nullptr) != 1)
			fail("OpenSSL failed");
	}
}

/// The kernel alone, with @p filled of its lanes; the other lanes repeat the first message.
void hash_by_kernel(sample const &data, sha_kind kind, sha_kernel const &kernel, std::size_t filled)
{
	alignas(64) std::array<std::uint32_t, sha_words_max * sha_lanes_max> states{};
	std::array<std::byte const *, sha_lanes_max> messages{};
	auto const &blocks = data.blocks();
	for (std::size_t first = 0; first + filled <= blocks.size(); first += filled) {
		for (std::size_t lane = 0; lane < kernel.lanes; ++lane)
			messages[lane] = blocks[first + (lane < filled ? lane : 0)].data();
		kernel.advance(kind)(states.data(), messages.data(), block_bytes / sha_block_bytes);
	}
}

struct counting_sink : job_sink {
	std::size_t jobs = 0;
	void finished(job_ptr) override { ++jobs; }
};

/// What a hasher does: @p in_flight pieces side by side through multi_digest.
void hash_pieces(sample const &data, sha_kind kind, std::size_t in_flight)
{
	auto const plan = default_hash_plan();
	counting_sink sink;
	multi_digest digest(*plan);
	auto const &blocks = data.blocks();
	std::size_t added = 0;
	for (std::size_t first = 0; first < blocks.size();) {
		hash_task task;
		task.stream = std::make_shared<hash_stream>(kind == sha_kind::sha1, kind == sha_kind::sha256, plan);
		for (std::size_t i = 0; i < piece_blocks && first < blocks.size(); ++i, ++first)
			task.parts.push_back({blocks[first], block_bytes, block_bytes});
		task.job = std::make_unique<disk_job>();
		task.job->sink = &sink;
		digest.add(std::move(task));
		++added;
		while (added - sink.jobs >= in_flight)
			digest.step();
	}
	digest.run();
}

struct row {
	sha_kind kind;
	std::string_view name;
	std::size_t filled;
	std::size_t bytes;
	std::function<void()> work;
	std::vector<double> own{};
	std::vector<double> openssl{};
};

std::vector<row> make_rows(sample const &data)
{
	std::vector<row> rows;
	for (auto const kind : {sha_kind::sha1, sha_kind::sha256}) {
		for (auto const *const kernel : available_sha_kernels()) {
			for (std::size_t filled = 1; filled <= kernel->lanes; filled *= 2) {
				auto const bytes = data.blocks().size() / filled * filled * block_bytes;
				rows.push_back({kind, kernel->name, filled, bytes,
					[&data, kind, kernel, filled] { hash_by_kernel(data, kind, *kernel, filled); }});
			}
		}
		for (std::size_t const pieces : {1, 2, 4, 8, 16})
			rows.push_back({kind, "multi_digest", pieces, data.size_bytes(),
				[&data, kind, pieces] { hash_pieces(data, kind, pieces); }});
	}
	return rows;
}

std::optional<options> parse(int argc, char **argv)
{
	options chosen;
	for (int i = 1; i + 1 < argc; i += 2) {
		auto const value = std::atoi(argv[i + 1]);
		if (std::string_view(argv[i]) == "--runs" && value > 0)
			chosen.runs = value;
		else if (std::string_view(argv[i]) == "--size" && value >= 4 && value <= 4096)
			chosen.size_mib = static_cast<std::size_t>(value);
		else
			return std::nullopt;
	}
	if (argc % 2 == 0)
		return std::nullopt;
	return chosen;
}

} // namespace

int main(int argc, char **argv)
{
	auto const chosen = parse(argc, argv);
	if (!chosen) {
		std::fputs("usage: bench_hash [--runs N] [--size MiB, 4 to 4096]\n", stderr);
		return 2;
	}
	sample const data(chosen->size_mib);
	auto rows = make_rows(data);
	std::printf(
		"%zu MiB in 16 KiB blocks, medians of %d runs in turn with OpenSSL, one thread's CPU time\n\n",
		chosen->size_mib, chosen->runs);
	std::puts("| digest | kernel | lanes or pieces | GB/s | OpenSSL GB/s | ratio |");
	std::puts("|---|---|---|---|---|---|");
	for (auto &row : rows) {
		for (int run = 0; run < chosen->runs; ++run) {
			row.openssl.push_back(
				gigabytes_per_second(data.size_bytes(), [&] { hash_by_openssl(data, row.kind); }));
			row.own.push_back(gigabytes_per_second(row.bytes, row.work));
		}
		auto const own = median(row.own);
		auto const openssl = median(row.openssl);
		std::printf("| %s | %.*s | %zu | %.2f | %.2f | %.2f |\n",
			row.kind == sha_kind::sha1 ? "SHA-1" : "SHA-256", static_cast<int>(row.name.size()),
			row.name.data(), row.filled, own, openssl, own / openssl);
		std::fflush(stdout);
	}
	return 0;
}
