#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/extent_map.hpp"
#include "actors/core/units.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace ezio
{

class device_route;

/// One torrent's payload on one device: what partitions need to know of it. Shared by jobs (never named by an
/// index, since jobs can outlive libtorrent's). Immutable but for the number of readers and the failure,
/// which is guarded by its mutex.
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
	std::atomic<std::uint32_t> m_readers{0};
	std::atomic<bool> m_has_failed{false};
	mutable std::mutex m_mutex;
	std::optional<error> m_failure; ///< guarded by m_mutex
};

} // namespace ezio
