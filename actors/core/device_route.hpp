#pragma once

#include "actors/core/dirty_account.hpp"
#include "actors/core/disk_identity.hpp"
#include "actors/core/job_router.hpp"

#include <memory>
#include <utility>

namespace ezio
{

/// What leads to one device and to no other: the partitions that serve it, and the account of what it has
/// still to write. A device that is slow or hangs fills its own route only. Lives as long as a storage on the
/// device.
class device_route
{
public:
	explicit device_route(disk_identity disk) : m_disk(std::move(disk)) {}
	virtual ~device_route() = default;
	device_route(device_route const &) = delete;
	device_route &operator=(device_route const &) = delete;

	disk_identity const &disk() const { return m_disk; }
	job_router &router() { return m_router; }
	dirty_account &dirty() { return m_dirty; }

private:
	disk_identity m_disk;
	job_router m_router;
	dirty_account m_dirty;
};

/// Where the routes come from.
class route_source
{
public:
	virtual ~route_source() = default;
	/// The route of the device, a new one if nobody holds it. Thread-safe.
	virtual std::shared_ptr<device_route> route_for(disk_identity const &disk) = 0;
	/// Does any torrent receive, or may it at any moment? Otherwise caches get the room of that too. Say so
	/// before the first one begins. Thread-safe.
	virtual void set_receiving(bool is_receiving) = 0;
};

} // namespace ezio
