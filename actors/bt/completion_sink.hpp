#pragma once

#include "actors/core/disk_job.hpp"

#include <libtorrent/fwd.hpp>
#include <libtorrent/io_context.hpp>

#include <boost/asio/executor_work_guard.hpp>

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace ezio
{

/// Collects finished jobs from partition and hasher threads and brings them to libtorrent's network thread:
/// one post a burst, never inline. While jobs are outstanding the io_context is kept from running dry, so
/// that every handler is called also while the session closes.
class completion_sink : public job_sink
{
public:
	/// @p complete is called on the network thread for each job, in the order in which they finished.
	/// @p after_burst is called there once after each burst.
	completion_sink(
		lt::io_context &network, std::function<void(job_ptr)> complete, std::function<void()> after_burst);

	/// Network thread: a job is about to be handed out that will end in this sink.
	void expect_one();
	/// Network thread: jobs handed out and not yet completed.
	std::size_t outstanding() const { return m_outstanding; }
	/// Any thread.
	void finished(job_ptr job) override;

private:
	void drain();

	lt::io_context &m_network;
	std::function<void(job_ptr)> m_complete;
	std::function<void()> m_after_burst;
	std::optional<boost::asio::executor_work_guard<lt::io_context::executor_type>>
		m_guard;                   ///< network thread
	std::size_t m_outstanding = 0; ///< network thread
	std::mutex m_mutex;
	std::vector<job_ptr> m_finished; ///< guarded by m_mutex; not empty: a drain is posted
	std::vector<job_ptr> m_draining; ///< network thread; kept for its memory
};

} // namespace ezio
