#pragma once

#include "actors/core/disk_job.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace ezio
{

/// One partition as those see it who have jobs for it. Never blocks. Called under the router's lock.
class partition_port
{
public:
	virtual ~partition_port() = default;
	/// Does the jobs in order, behind everything submitted before.
	virtual void submit(std::vector<job_ptr> jobs) = 0;
	/// Behind everything submitted before, writes everything dirty: back-pressure.
	virtual void press() = 0;
};

using partition_ports = std::vector<std::shared_ptr<partition_port>>;

/// Brings jobs to the partitions that they belong to, whoever makes them, and lets the set of partitions
/// change while jobs keep coming: while it is held, jobs wait here, in order, until it is released to the
/// same partitions or to others. The new ones may be given jobs only when the old ones have finished all of
/// theirs and hold no block any more; then what one partition promises by the order of its jobs holds across
/// the change. Thread-safe, but for hold() and release(), which one thread calls at a time.
///
/// What waits while held is bounded by its makers: received data by the dirty limit, requests by what peers
/// may have outstanding.
class job_router
{
public:
	job_router() = default;
	explicit job_router(partition_ports ports) : m_ports(std::move(ports)) {}
	~job_router(); ///< must not be held, and no job of it may be on its way
	job_router(job_router const &) = delete;
	job_router &operator=(job_router const &) = delete;

	/// Hands each job of a piece to the piece's partition, and each job of a whole storage (open, write_back,
	/// sync, release, discard) to all partitions: it reaches its sink once, when the last has done its part,
	/// with the first failure. Jobs of one caller stay in order. @p is_pressed: the partitions that got
	/// something then write everything dirty.
	void submit(std::vector<job_ptr> jobs, bool is_pressed = false);
	/// All partitions write everything dirty.
	void press();
	std::size_t partitions() const;

	/// From now on nothing reaches a port.
	void hold();
	/// Goes on with the same partitions: first the jobs that waited.
	void release();
	/// Goes on with other partitions.
	void release(partition_ports ports);

private:
	void route(std::vector<job_ptr> jobs, bool is_pressed);
	void release_locked();

	mutable std::mutex m_mutex; ///< guards everything
	partition_ports m_ports;
	std::vector<std::vector<job_ptr>> m_routed; ///< one a port; empty but during route()
	std::vector<job_ptr> m_waiting;
	bool m_is_held = false;
	bool m_is_press_waiting = false;
};

} // namespace ezio
