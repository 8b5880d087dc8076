#include "tests/support/recording_sink.hpp"

#include <utility>

namespace ezio::test
{

class tracked_job::tracker
{
public:
	std::size_t add()
	{
		std::lock_guard const lock(m_mutex);
		m_answers.push_back(0);
		return m_answers.size() - 1;
	}
	void answered(std::size_t which)
	{
		std::lock_guard const lock(m_mutex);
		if (++m_answers[which] > 1)
			m_faults += "job " + std::to_string(which) + " was answered twice; ";
		else
			++m_answered;
	}
	void destroyed(std::size_t which)
	{
		std::lock_guard const lock(m_mutex);
		if (m_answers[which] == 0)
			m_faults += "job " + std::to_string(which) + " was destroyed without an answer; ";
	}
	std::size_t made() const
	{
		std::lock_guard const lock(m_mutex);
		return m_answers.size();
	}
	std::size_t answered() const
	{
		std::lock_guard const lock(m_mutex);
		return m_answered;
	}
	std::string faults() const
	{
		std::lock_guard const lock(m_mutex);
		return m_faults;
	}

private:
	mutable std::mutex m_mutex;
	std::vector<unsigned> m_answers; ///< by number; guarded by m_mutex
	std::size_t m_answered = 0;      ///< guarded by m_mutex
	std::string m_faults;            ///< guarded by m_mutex
};

tracked_job::tracked_job(std::size_t job_number, std::shared_ptr<tracker> tracked)
	: number(job_number), owner(std::move(tracked))
{
}

tracked_job::~tracked_job()
{
	owner->destroyed(number);
}

recording_sink::recording_sink() : m_tracker(std::make_shared<tracked_job::tracker>()) {}

std::unique_ptr<tracked_job> recording_sink::make_job(job_kind kind, std::shared_ptr<storage> target)
{
	auto job = std::make_unique<tracked_job>(m_tracker->add(), m_tracker);
	job->kind = kind;
	job->target = std::move(target);
	job->sink = this;
	return job;
}

void recording_sink::finished(job_ptr job)
{
	std::unique_ptr<tracked_job> mine(static_cast<tracked_job *>(job.release()));
	m_tracker->answered(mine->number);
	if (on_finished)
		on_finished(*mine);
	std::lock_guard const lock(m_mutex);
	if (m_answers.size() <= mine->number)
		m_answers.resize(mine->number + 1);
	auto const number = mine->number;
	m_answers[number] = std::move(mine);
}

tracked_job *recording_sink::answer(std::size_t number) const
{
	std::lock_guard const lock(m_mutex);
	return number < m_answers.size() ? m_answers[number].get() : nullptr;
}

void recording_sink::drop(std::size_t number)
{
	std::lock_guard const lock(m_mutex);
	if (number < m_answers.size())
		m_answers[number].reset();
}

void recording_sink::drop_all()
{
	std::lock_guard const lock(m_mutex);
	for (auto &answer : m_answers)
		answer.reset();
}

std::size_t recording_sink::made() const
{
	return m_tracker->made();
}

std::size_t recording_sink::answered() const
{
	return m_tracker->answered();
}

std::string recording_sink::faults() const
{
	return m_tracker->faults();
}

} // namespace ezio::test
