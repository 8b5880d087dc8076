#include "actors/core/piece_digest.hpp"

#include "actors/core/multi_digest.hpp"
#include "actors/core/partition_stats.hpp"

#include <openssl/evp.h>

#include <mutex>
#include <new>
#include <optional>
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

hash_stream::hash_stream(bool want_sha1, bool want_block_sha256, std::shared_ptr<hash_plan const> plan)
	: m_plan(std::move(plan)), m_want_sha1(want_sha1), m_want_blocks(want_block_sha256)
{
}

void hash_stream::add_block(std::span<std::byte const> bytes, std::size_t sha256_bytes)
{
	if (m_want_sha1) {
		sha_part const part{&m_sha1, {&bytes, 1}, false};
		hash_parts(*m_plan, {&part, 1});
	}
	if (m_want_blocks && sha256_bytes > 0) {
		auto const covered = bytes.first(sha256_bytes);
		sha_stream block(sha_kind::sha256);
		sha_part const part{&block, {&covered, 1}, true};
		hash_parts(*m_plan, {&part, 1});
		m_blocks.push_back(block.digest<32>());
	}
}

void hash_stream::finish(disk_job &job)
{
	if (m_want_sha1) {
		sha_part const part{&m_sha1, {}, true};
		hash_parts(*m_plan, {&part, 1});
		job.sha1 = m_sha1.digest<20>();
	}
	job.block_sha256 = std::move(m_blocks);
}

void run_hash_task(hash_task task)
{
	std::optional<busy_episode> episode;
	if (task.stats != nullptr)
		episode.emplace(task.stats->hashing);
	multi_digest digest(task.stream->plan());
	digest.add(std::move(task));
	digest.run();
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
