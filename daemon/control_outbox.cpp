#include "daemon/control_outbox.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace ezio
{

result<std::shared_ptr<control_outbox>> control_outbox::create()
{
	unique_fd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (!fd)
		return make_system_error("eventfd", {}, errno, "control socket");
	return std::make_shared<control_outbox>(std::move(fd));
}

void control_outbox::add(queued_reply reply)
{
	{
		std::lock_guard const lock(m_mutex);
		m_content.replies.push_back(std::move(reply));
	}
	wake();
}

void control_outbox::add(queued_event e)
{
	{
		std::lock_guard const lock(m_mutex);
		if (m_content.events.size() == control_events_max)
			m_content.events.pop_front();
		m_content.events.push_back(std::move(e));
	}
	wake();
}

void control_outbox::set(access_list clients)
{
	{
		std::lock_guard const lock(m_mutex);
		m_content.clients = std::move(clients);
	}
	wake();
}

void control_outbox::close()
{
	{
		std::lock_guard const lock(m_mutex);
		m_content.is_closed = true;
	}
	wake();
}

control_outbox::content control_outbox::take()
{
	std::uint64_t count = 0;
	// EAGAIN means that nothing new came, which is fine.
	while (read(m_event_fd.number(), &count, sizeof count) < 0 && errno == EINTR) {
	}
	std::lock_guard const lock(m_mutex);
	auto taken = std::exchange(m_content, content{});
	m_content.is_closed = taken.is_closed;
	return taken;
}

void control_outbox::wake() const
{
	std::uint64_t const one = 1;
	// EAGAIN means that the counter is full: the thread will wake anyway.
	while (write(m_event_fd.number(), &one, sizeof one) < 0 && errno == EINTR) {
	}
}

} // namespace ezio
