#include "actors/hasher.hpp"

#include <utility>

namespace ezio
{

hasher_actor::behavior_type hasher(hasher_actor::pointer self)
{
	return {
		[](hash_work &work) {
			run_hash_task(std::move(work->task));
			work.reset();
		},
		[self](stop_atom) { self->quit(); },
	};
}

/// One hasher of the pool. The pool and every open stream hold it; the last one to let go sends the stop,
/// which therefore stands in the mailbox behind all of its work.
class hasher_pool::worker
{
public:
	explicit worker(caf::actor_system &system) : m_actor(system.spawn<caf::detached>(hasher)) {}
	~worker() { caf::anon_send(m_actor, stop_atom::value); }
	worker(worker const &) = delete;
	worker &operator=(worker const &) = delete;

	void submit(hash_task task)
	{
		auto work = std::make_shared<hash_work_data>();
		work->task = std::move(task);
		caf::anon_send(m_actor, std::move(work));
	}

private:
	hasher_actor m_actor;
};

namespace
{

/// A stream that remembers its hasher, so that all tasks of a piece run there in order.
struct pooled_stream : hash_stream {
	pooled_stream(bool want_sha1, bool want_block_sha256, std::shared_ptr<hasher_pool::worker> w)
		: hash_stream(want_sha1, want_block_sha256), worker(std::move(w))
	{
	}
	std::shared_ptr<hasher_pool::worker> worker; ///< null: hash in the caller
};

} // namespace

hasher_pool::hasher_pool(caf::actor_system &system) : m_system(system) {}

hasher_pool::~hasher_pool() = default;

void hasher_pool::resize(std::uint32_t hashers)
{
	// Retired workers are let go outside the lock: their destructors send messages.
	std::vector<std::shared_ptr<worker>> retired;
	std::lock_guard const lock(m_mutex);
	while (m_workers.size() > hashers) {
		retired.push_back(std::move(m_workers.back()));
		m_workers.pop_back();
	}
	while (m_workers.size() < hashers)
		m_workers.push_back(std::make_shared<worker>(m_system));
}

std::uint32_t hasher_pool::size() const
{
	std::lock_guard const lock(m_mutex);
	return static_cast<std::uint32_t>(m_workers.size());
}

void hasher_pool::submit(hash_task task)
{
	// Every stream given to submit() came from open_stream().
	auto const stream = std::static_pointer_cast<pooled_stream>(task.stream);
	if (stream->worker == nullptr)
		run_hash_task(std::move(task));
	else
		stream->worker->submit(std::move(task));
}

std::shared_ptr<hash_stream> hasher_pool::open_stream(bool want_sha1, bool want_block_sha256)
{
	std::shared_ptr<worker> chosen;
	{
		std::lock_guard const lock(m_mutex);
		if (!m_workers.empty())
			chosen = m_workers[m_next++ % m_workers.size()];
	}
	return std::make_shared<pooled_stream>(want_sha1, want_block_sha256, std::move(chosen));
}

} // namespace ezio
