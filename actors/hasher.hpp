#pragma once

#include "actors/messages.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace ezio
{

/// Hashes pieces for the partitions. Spawn it detached.
hasher_actor::behavior_type hasher(hasher_actor::pointer self);

/// The pool: partitions submit to it from their threads, the daemon resizes it while work flows. A hasher
/// that is retired ends after the last task of the last stream that was opened on it. Size 0 hashes in the
/// caller.
class hasher_pool : public hash_dispatcher
{
public:
	explicit hasher_pool(caf::actor_system &system);
	~hasher_pool() override;

	void resize(std::uint32_t hashers);
	std::uint32_t size() const;
	void submit(hash_task task) override;
	std::shared_ptr<hash_stream> open_stream(bool want_sha1, bool want_block_sha256) override;

	class worker;

private:
	caf::actor_system &m_system;
	mutable std::mutex m_mutex;
	std::vector<std::shared_ptr<worker>> m_workers; ///< guarded by m_mutex
	std::size_t m_next = 0;                         ///< guarded by m_mutex
};

} // namespace ezio
