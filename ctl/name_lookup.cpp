#include "ctl/name_lookup.hpp"

#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace ezio::ctl
{

/// More would help nobody: the resolvers behind them are few.
static constexpr std::size_t workers_max = 16;

/// Lives until the last worker has ended, which may be after the owner.
struct name_lookup::shared {
	struct question {
		std::size_t node;
		host_and_port name;
	};

	shared() : wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
	~shared()
	{
		if (wakeup >= 0)
			::close(wakeup);
	}
	shared(shared const &) = delete;
	shared &operator=(shared const &) = delete;

	void answered(std::size_t node, result<std::vector<socket_address>> addresses)
	{
		{
			std::lock_guard const lock(mutex);
			pending.erase(node);
			answers.push_back({node, std::move(addresses)});
		}
		std::uint64_t const one = 1;
		// Full means that it is readable already.
		if (wakeup >= 0 && ::write(wakeup, &one, sizeof one) < 0)
			return;
	}

	void work()
	{
		for (;;) {
			question next;
			{
				std::lock_guard const lock(mutex);
				if (questions.empty() || is_abandoned) {
					--workers;
					return;
				}
				next = std::move(questions.front());
				questions.pop_front();
			}
			answered(next.node, addresses_of(next.name, false));
		}
	}

	int const wakeup;
	std::mutex mutex; ///< guards all below
	std::deque<question> questions;
	std::set<std::size_t> pending; ///< nodes in questions or with a worker
	std::vector<answer> answers;
	std::size_t workers = 0;
	bool is_abandoned = false;
};

name_lookup::name_lookup() : m_shared(std::make_shared<shared>()) {}

name_lookup::~name_lookup()
{
	std::lock_guard const lock(m_shared->mutex);
	m_shared->is_abandoned = true;
}

int name_lookup::fd() const
{
	return m_shared->wakeup;
}

void name_lookup::start(std::size_t node, host_and_port const &name)
{
	auto &s = *m_shared;
	bool needs_worker = false;
	{
		std::lock_guard const lock(s.mutex);
		if (!s.pending.insert(node).second)
			return;
		s.questions.push_back({node, name});
		needs_worker = s.workers < workers_max;
		s.workers += needs_worker ? 1 : 0;
	}
	if (!needs_worker)
		return;
	try {
		std::thread([keep = m_shared] { keep->work(); }).detach();
	} catch (std::system_error const &e) {
		std::vector<std::size_t> stranded;
		{
			std::lock_guard const lock(s.mutex);
			if (--s.workers > 0)
				return; // the others take it
			for (auto const &question : s.questions)
				stranded.push_back(question.node);
			s.questions.clear();
		}
		for (auto const each : stranded)
			s.answered(
				each, make_error(errc::internal, std::string("no thread to look a name up: ") + e.what()));
	}
}

std::vector<name_lookup::answer> name_lookup::collect()
{
	std::uint64_t count = 0;
	// Nothing to read is no failure.
	if (m_shared->wakeup >= 0)
		static_cast<void>(!::read(m_shared->wakeup, &count, sizeof count));
	std::lock_guard const lock(m_shared->mutex);
	return std::exchange(m_shared->answers, {});
}

} // namespace ezio::ctl
