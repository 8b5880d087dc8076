#include "actors/core/job_router.hpp"

#include "actors/core/piece_router.hpp"

#include <cassert>
#include <iterator>
#include <utility>

namespace ezio
{
namespace
{

bool is_for_all_partitions(job_kind kind)
{
	switch (kind) {
	case job_kind::open:
	case job_kind::write_back:
	case job_kind::sync:
	case job_kind::release:
	case job_kind::discard:
		return true;
	case job_kind::warm:
	case job_kind::read:
	case job_kind::write:
	case job_kind::hash_piece:
	case job_kind::hash_block:
	case job_kind::clear_piece:
		return false;
	}
	return false;
}

/// Joins the parts of a job that every partition has a part in.
class joined_job final : public job_sink
{
public:
	joined_job(job_ptr whole, std::size_t parts) : m_whole(std::move(whole)), m_remaining(parts) {}

	void finished(job_ptr part) override
	{
		job_ptr done;
		{
			std::lock_guard const lock(m_mutex);
			bool const is_better =
				!m_whole->failure || (part->is_first_failure && !m_whole->is_first_failure);
			if (part->failure && is_better) {
				m_whole->failure = std::move(part->failure);
				m_whole->is_first_failure = part->is_first_failure;
			}
			if (--m_remaining == 0)
				done = std::move(m_whole);
		}
		if (!done)
			return;
		auto *const sink = done->sink;
		sink->finished(std::move(done));
	}

private:
	std::mutex m_mutex;
	job_ptr m_whole;         ///< guarded by m_mutex
	std::size_t m_remaining; ///< guarded by m_mutex
};

/// The part of one partition; keeps its sink alive.
struct part_job : disk_job {
	std::shared_ptr<joined_job> whole;
};

} // namespace

job_router::~job_router()
{
	assert(!m_is_held && m_waiting.empty());
}

void job_router::submit(std::vector<job_ptr> jobs, bool is_pressed)
{
	std::lock_guard const lock(m_mutex);
	if (!m_is_held)
		return route(std::move(jobs), is_pressed);
	m_is_press_waiting = m_is_press_waiting || is_pressed;
	m_waiting.insert(
		m_waiting.end(), std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()));
}

void job_router::press()
{
	std::lock_guard const lock(m_mutex);
	if (m_is_held) {
		m_is_press_waiting = true;
		return;
	}
	for (auto const &port : m_ports)
		port->press();
}

std::size_t job_router::partitions() const
{
	std::lock_guard const lock(m_mutex);
	return m_ports.size();
}

void job_router::hold()
{
	std::lock_guard const lock(m_mutex);
	assert(!m_is_held);
	m_is_held = true;
}

void job_router::release()
{
	std::lock_guard const lock(m_mutex);
	release_locked();
}

void job_router::release(partition_ports ports)
{
	std::lock_guard const lock(m_mutex);
	m_ports = std::move(ports);
	release_locked();
}

void job_router::release_locked()
{
	assert(m_is_held);
	m_is_held = false;
	route(std::exchange(m_waiting, {}), std::exchange(m_is_press_waiting, false));
}

void job_router::route(std::vector<job_ptr> jobs, bool is_pressed)
{
	auto const partitions = m_ports.size();
	assert(partitions > 0 || jobs.empty());
	m_routed.resize(partitions);
	for (auto &job : jobs) {
		if (!is_for_all_partitions(job->kind)) {
			// Without a storage any partition can say what is wrong.
			auto const to = job->target == nullptr
				? 0
				: partition_of(job->target->id(), job->piece, static_cast<std::uint32_t>(partitions));
			m_routed[to].push_back(std::move(job));
			continue;
		}
		auto const kind = job->kind;
		auto const target = job->target;
		auto const submitted = job->submitted;
		auto const whole = std::make_shared<joined_job>(std::move(job), partitions);
		for (auto &routed : m_routed) {
			auto part = std::make_unique<part_job>();
			part->kind = kind;
			part->target = target;
			part->submitted = submitted;
			part->sink = whole.get();
			part->whole = whole;
			routed.push_back(std::move(part));
		}
	}
	for (std::size_t i = 0; i < partitions; ++i) {
		if (m_routed[i].empty())
			continue;
		m_ports[i]->submit(std::exchange(m_routed[i], {}));
		if (is_pressed)
			m_ports[i]->press();
	}
}

} // namespace ezio
