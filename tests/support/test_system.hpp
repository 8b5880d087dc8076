#pragma once

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace ezio
{

/// An actor system whose messages and clock are moved by the test, in its own thread.
class test_system
{
public:
	test_system() : m_system(m_config) {}

	caf::actor_system &system() { return m_system; }
	caf::scheduler::test_coordinator &scheduler()
	{
		return dynamic_cast<caf::scheduler::test_coordinator &>(m_system.scheduler());
	}
	/// Delivers messages until none is left.
	void run() { scheduler().run(); }
	/// Moves the clock, then delivers what that set off.
	void pass(std::chrono::nanoseconds time)
	{
		scheduler().advance_time(time);
		run();
	}

	/// The answer to a request as far as it has come; filled by run() or pass().
	template <class Reply>
	struct answer {
		std::optional<Reply> value;
		std::optional<caf::error> failure;
	};

	/// Sends a request from an actor of its own.
	template <class Reply, class Handle, class... Args>
	std::shared_ptr<answer<Reply>> ask(Handle const &to, Args... args)
	{
		auto into = std::make_shared<answer<Reply>>();
		m_system.spawn([into, to, args...](caf::event_based_actor *self) {
			self->request(to, caf::infinite, args...)
				.then([into](Reply &reply) { into->value = std::move(reply); },
					[into](caf::error const &failure) { into->failure = failure; });
		});
		run();
		return into;
	}

private:
	struct config : caf::actor_system_config {
		config() { set("scheduler.policy", caf::atom("testing")); }
	};
	config m_config;
	caf::actor_system m_system;
};

} // namespace ezio
