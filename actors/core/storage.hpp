#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/extent_map.hpp"
#include "actors/core/piece_audience.hpp"
#include "actors/core/units.hpp"
#include "actors/core/unreadable_pieces.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace ezio
{

class device_route;

/// One torrent's payload on one device: what partitions need to know of it. Shared by jobs (never named by an
/// index, since jobs can outlive libtorrent's). Immutable but for what is known of its readers and what
/// partitions and session tell each other of failures, which its mutex guards.
class storage
{
public:
	storage(storage_id id, std::string info_hash, piece_geometry pieces, extent_map extents,
		std::shared_ptr<device_claim> claim, std::shared_ptr<device_route> route = nullptr)
		: m_id(id), m_info_hash(std::move(info_hash)), m_pieces(pieces), m_extents(std::move(extents)),
		  m_claim(std::move(claim)), m_route(std::move(route))
	{
	}

	storage_id id() const { return m_id; }
	/// Hexadecimal info-hash: the torrent's name in events and errors.
	std::string const &info_hash() const { return m_info_hash; }
	piece_geometry const &pieces() const { return m_pieces; }
	extent_map const &extents() const { return m_extents; }
	device_claim &claim() const { return *m_claim; }
	/// Where its jobs go. Null for a storage that nobody routes jobs of.
	std::shared_ptr<device_route> const &route() const { return m_route; }

	/// How many connected peers lack pieces; 0: none, or nobody has said. A hint for the cache.
	std::uint32_t readers() const { return m_readers.load(std::memory_order_relaxed); }
	void set_readers(std::uint32_t peers) { m_readers.store(peers, std::memory_order_relaxed); }

	/// Who may ask for its pieces; outlives the storage where it is told of peers. Never null.
	std::shared_ptr<piece_audience> const &audience() const { return m_audience; }

	/// Pieces that cannot be sent at the moment. Never null.
	std::shared_ptr<unreadable_pieces> const &unreadable() const { return m_unreadable; }

	/// True once a write or a flush failed: no write is tried any more until the failure is cleared.
	bool has_failed() const { return m_has_failed.load(std::memory_order_acquire); }
	/// Records a failure; true if it is the first, which is the one to report.
	bool fail(error e)
	{
		std::lock_guard const lock(m_mutex);
		if (m_failure)
			return false;
		m_failure = std::move(e);
		m_has_failed.store(true, std::memory_order_release);
		return true;
	}
	std::optional<error> failure() const
	{
		std::lock_guard const lock(m_mutex);
		return m_failure;
	}
	/// Waits before a failed transfer is tried again; false at once if the torrent is to be let go.
	bool wait_before_retry(std::chrono::milliseconds time) const
	{
		std::unique_lock lock(m_mutex);
		return !m_leaving.wait_for(lock, time, [this] { return m_is_leaving; });
	}
	/// The torrent is on its way out: nobody is to wait for its device to recover any more.
	void leave()
	{
		{
			std::lock_guard const lock(m_mutex);
			m_is_leaving = true;
		}
		m_leaving.notify_all();
	}
	/// Transfers that failed and were tried again.
	struct retry_count {
		std::uint64_t times = 0;
		std::optional<error> last; ///< why the last one was
	};
	void count_retry(error cause)
	{
		std::lock_guard const lock(m_mutex);
		++m_retries.times;
		m_retries.last = std::move(cause);
	}
	retry_count retries() const
	{
		std::lock_guard const lock(m_mutex);
		return m_retries;
	}
	/// The operator says that the cause is gone.
	void clear_failure()
	{
		std::lock_guard const lock(m_mutex);
		m_failure.reset();
		m_has_failed.store(false, std::memory_order_release);
	}

private:
	storage_id m_id;
	std::string m_info_hash;
	piece_geometry m_pieces;
	extent_map m_extents;
	std::shared_ptr<device_claim> m_claim;
	std::shared_ptr<device_route> m_route;
	std::shared_ptr<piece_audience> const m_audience =
		std::make_shared<piece_audience>(m_pieces.piece_count());
	std::shared_ptr<unreadable_pieces> const m_unreadable =
		std::make_shared<unreadable_pieces>(m_pieces.piece_count());
	std::atomic<std::uint32_t> m_readers{0};
	std::atomic<bool> m_has_failed{false};
	mutable std::mutex m_mutex;
	std::optional<error> m_failure; ///< guarded by m_mutex
	retry_count m_retries;          ///< guarded by m_mutex
	bool m_is_leaving = false;      ///< guarded by m_mutex
	mutable std::condition_variable m_leaving;
};

/// How partitions wait unless a test waits for them: until the time is over or the storage is let go.
inline bool wait_for_retry(storage const &target, std::chrono::milliseconds time)
{
	return target.wait_before_retry(time);
}

} // namespace ezio
