#include "actors/core/piece_digest.hpp"

#include "actors/core/error.hpp"
#include "actors/core/partition_stats.hpp"

#include <openssl/evp.h>

#include <mutex>
#include <new>
#include <utility>

namespace ezio
{
namespace
{

struct context_deleter {
	void operator()(EVP_MD_CTX *context) const { EVP_MD_CTX_free(context); }
};
using context_ptr = std::unique_ptr<EVP_MD_CTX, context_deleter>;

/// Contexts of one algorithm. Making one costs several allocations and, in OpenSSL 3, fetching an algorithm
/// takes locks: the algorithm is fetched once and contexts are used again. Thread-safe.
class digest_pool
{
public:
	static constexpr std::size_t spare_max = 64;

	explicit digest_pool(char const *algorithm) : m_algorithm(EVP_MD_fetch(nullptr, algorithm, nullptr)) {}
	~digest_pool()
	{
		m_spare.clear();
		EVP_MD_free(m_algorithm);
	}
	digest_pool(digest_pool const &) = delete;
	digest_pool &operator=(digest_pool const &) = delete;

	/// A context of the algorithm, not yet started; null if OpenSSL has no memory or not the algorithm.
	context_ptr take()
	{
		{
			std::lock_guard const lock(m_mutex);
			if (!m_spare.empty()) {
				auto context = std::move(m_spare.back());
				m_spare.pop_back();
				return context;
			}
		}
		return context_ptr(EVP_MD_CTX_new());
	}
	void put(context_ptr context)
	{
		if (!context)
			return;
		std::lock_guard const lock(m_mutex);
		if (m_spare.size() < spare_max)
			m_spare.push_back(std::move(context));
	}
	bool start(context_ptr const &context) const
	{
		return context && m_algorithm != nullptr &&
			EVP_DigestInit_ex2(context.get(), m_algorithm, nullptr) == 1;
	}

private:
	EVP_MD *m_algorithm;
	std::mutex m_mutex;
	std::vector<context_ptr> m_spare; ///< guarded by m_mutex
};

digest_pool &sha1_pool()
{
	static digest_pool pool("SHA1");
	return pool;
}

digest_pool &sha256_pool()
{
	static digest_pool pool("SHA256");
	return pool;
}

bool add(context_ptr const &context, std::span<std::byte const> bytes)
{
	return EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1;
}

template <std::size_t Size>
bool finish_digest(context_ptr const &context, std::array<std::byte, Size> &digest)
{
	unsigned length = 0;
	return EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char *>(digest.data()), &length) ==
		1 &&
		length == Size;
}

template <class Digest>
Digest digest_of(digest_pool &pool, std::span<std::byte const> bytes)
{
	Digest digest{};
	auto context = pool.take();
	if (!pool.start(context) || !add(context, bytes) || !finish_digest(context, digest))
		throw std::bad_alloc(); // the only way these calls fail once the algorithm exists
	pool.put(std::move(context));
	return digest;
}

} // namespace

struct hash_stream::state {
	context_ptr sha1;
	context_ptr sha256;
	std::vector<sha256_digest> blocks;
	bool want_sha1 = false;
	bool want_blocks = false;
	bool has_failed = false;
};

hash_stream::hash_stream(bool want_sha1, bool want_block_sha256) : m_state(std::make_unique<state>())
{
	m_state->want_sha1 = want_sha1;
	m_state->want_blocks = want_block_sha256;
	if (want_sha1) {
		m_state->sha1 = sha1_pool().take();
		m_state->has_failed = !sha1_pool().start(m_state->sha1);
	}
	if (want_block_sha256) {
		m_state->sha256 = sha256_pool().take();
		m_state->has_failed = m_state->has_failed || !m_state->sha256;
	}
}

hash_stream::~hash_stream()
{
	sha1_pool().put(std::move(m_state->sha1));
	sha256_pool().put(std::move(m_state->sha256));
}

void hash_stream::add_block(std::span<std::byte const> bytes, std::size_t sha256_bytes)
{
	auto &s = *m_state;
	if (s.has_failed)
		return;
	if (s.want_sha1 && !add(s.sha1, bytes))
		s.has_failed = true;
	if (s.want_blocks && sha256_bytes > 0) {
		auto &digest = s.blocks.emplace_back();
		if (!(sha256_pool().start(s.sha256) && add(s.sha256, bytes.first(sha256_bytes)) &&
				finish_digest(s.sha256, digest)))
			s.has_failed = true;
	}
}

void hash_stream::finish(disk_job &job)
{
	auto &s = *m_state;
	if (!s.has_failed && s.want_sha1 && !finish_digest(s.sha1, job.sha1))
		s.has_failed = true;
	if (s.has_failed) {
		job.failure = make_error(errc::internal, "the hash function failed");
		return;
	}
	job.block_sha256 = std::move(s.blocks);
}

void run_hash_task(hash_task task)
{
	std::uint64_t hashed_bytes = 0;
	for (auto &part : task.parts) {
		task.stream->add_block({part.block.data(), part.length_bytes}, part.sha256_bytes);
		hashed_bytes += part.length_bytes;
		part.block = {};
	}
	if (task.stats != nullptr)
		task.stats->hashed_bytes.fetch_add(hashed_bytes, std::memory_order_relaxed);
	if (!task.job)
		return;
	task.stream->finish(*task.job);
	if (task.stats != nullptr) {
		if (task.job->failure)
			task.stats->errors.fetch_add(1, std::memory_order_relaxed);
		else
			task.stats->hash_latency.record(monotonic_clock::now() - task.job->submitted);
		task.stats->queue_depth.fetch_sub(1, std::memory_order_relaxed);
	}
	auto *const sink = task.job->sink;
	sink->finished(std::move(task.job));
}

sha1_digest sha1_of(std::span<std::byte const> bytes)
{
	return digest_of<sha1_digest>(sha1_pool(), bytes);
}

sha256_digest sha256_of(std::span<std::byte const> bytes)
{
	return digest_of<sha256_digest>(sha256_pool(), bytes);
}

} // namespace ezio
