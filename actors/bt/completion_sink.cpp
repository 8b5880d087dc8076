#include "actors/bt/completion_sink.hpp"

#include <boost/asio/post.hpp>

#include <cassert>
#include <utility>

namespace ezio
{

completion_sink::completion_sink(
	lt::io_context &network, std::function<void(job_ptr)> complete, std::function<void()> after_burst)
	: m_network(network), m_complete(std::move(complete)), m_after_burst(std::move(after_burst))
{
}

void completion_sink::expect_one()
{
	if (m_outstanding++ == 0)
		m_guard.emplace(m_network.get_executor());
}

void completion_sink::finished(job_ptr job)
{
	bool is_first = false;
	{
		std::lock_guard const lock(m_mutex);
		is_first = m_finished.empty();
		m_finished.push_back(std::move(job));
	}
	if (is_first)
		boost::asio::post(m_network, [this] { drain(); });
}

void completion_sink::drain()
{
	{
		std::lock_guard const lock(m_mutex);
		m_draining.swap(m_finished);
	}
	// A handler may hand out new jobs, even stop the session; it never calls drain().
	for (auto &job : m_draining) {
		assert(m_outstanding > 0);
		m_complete(std::move(job));
		--m_outstanding;
	}
	m_draining.clear();
	m_after_burst();
	if (m_outstanding == 0)
		m_guard.reset();
}

} // namespace ezio
