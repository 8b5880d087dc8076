#pragma once

#include "actors/core/disk_job.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ezio::test
{

/// A job that knows its number and notices when it dies unanswered.
struct tracked_job : disk_job {
	class tracker;
	tracked_job(std::size_t number, std::shared_ptr<tracker> tracked);
	~tracked_job() override;

	std::size_t number;
	std::shared_ptr<tracker> owner;
};

/// Keeps the answer of every job and finds jobs answered twice or lost. Thread-safe; must outlive its jobs.
class recording_sink : public job_sink
{
public:
	recording_sink();

	/// A job of this sink. It must come back exactly once.
	std::unique_ptr<tracked_job> make_job(job_kind kind, std::shared_ptr<storage> target);
	void finished(job_ptr job) override;
	/// Called for each answer before it is kept, on the thread that finished it.
	std::function<void(tracked_job &)> on_finished;

	/// The kept answer, or null while there is none.
	tracked_job *answer(std::size_t number) const;
	/// Forgets the answer, and with it the blocks that it holds.
	void drop(std::size_t number);
	void drop_all();

	std::size_t made() const;
	std::size_t answered() const;
	/// Empty if so far no job was answered twice or destroyed without an answer; else what went wrong.
	std::string faults() const;

private:
	std::shared_ptr<tracked_job::tracker> m_tracker;
	mutable std::mutex m_mutex;
	std::vector<std::unique_ptr<tracked_job>> m_answers; ///< by number; guarded by m_mutex
};

} // namespace ezio::test
