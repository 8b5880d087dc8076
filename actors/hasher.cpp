#include "actors/hasher.hpp"

#include "actors/core/thread_cpu.hpp"
#include "actors/thread_name.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace ezio
{

namespace
{

/// A hasher with more than this gets no new stream while another has less: some 2 to 8 ms of work.
constexpr std::uint64_t backlog_bytes_max = 16 * 1024 * 1024;

/// Sees to it that a tick comes when the next step is due. A wakeup that is on its way stays.
void schedule_step(hasher_actor::stateful_pointer<hasher_state> self)
{
	auto &state = self->state;
	auto const now = state.clock();
	auto const due = state.digest->next_step(now);
	if (!due || state.is_ticking)
		return;
	if (*due <= now) {
		state.is_ticking = true;
		self->send(self, tick_atom::value);
	} else if (!state.wakes_at || *due < *state.wakes_at) {
		state.wakes_at = *due;
		self->delayed_send(
			self, std::chrono::duration_cast<std::chrono::nanoseconds>(*due - now), wakeup_atom::value);
	}
}

} // namespace

hasher_actor::behavior_type hasher(hasher_actor::stateful_pointer<hasher_state> self, hasher_config config)
{
	name_own_thread(*self, hasher_thread_name);
	auto &state = self->state;
	state.plan = std::move(config.plan);
	state.stats = std::move(config.stats);
	state.clock = std::move(config.clock);
	state.digest = std::make_unique<multi_digest>(*state.plan, state.stats.get(), config.limits);
	return {
		[self](hash_work &work) {
			self->state.digest->add(std::move(work->task), self->state.clock());
			work.reset();
			schedule_step(self);
		},
		[self](tick_atom) {
			self->state.is_ticking = false;
			self->state.digest->step();
			// The next tick stands behind all that has arrived during the step.
			schedule_step(self);
		},
		[self](wakeup_atom) {
			self->state.wakes_at.reset();
			schedule_step(self);
		},
		[self](limits_atom, collect_limits const &limits) {
			self->state.digest->set_limits(limits);
			schedule_step(self);
		},
		[self](stop_atom) {
			self->state.digest->run();
			self->quit();
		},
	};
}

/// One hasher of the pool. The pool and every open stream hold it; the last one to let go sends the stop,
/// which therefore stands in the mailbox behind all of its work.
class hasher_pool::worker
{
public:
	worker(caf::actor_system &system, std::shared_ptr<hash_plan const> plan, collect_limits limits)
		: m_actor(system.spawn<caf::detached>(hasher, hasher_config{std::move(plan), m_stats, limits}))
	{
	}
	~worker() { caf::anon_send(m_actor, stop_atom::value); }
	worker(worker const &) = delete;
	worker &operator=(worker const &) = delete;

	void submit(hash_task task)
	{
		std::uint64_t bytes = 0;
		for (auto const &part : task.parts)
			bytes += part.length_bytes;
		m_submitted_bytes.fetch_add(bytes, std::memory_order_relaxed);
		auto work = std::make_shared<hash_work_data>();
		work->task = std::move(task);
		caf::anon_send(m_actor, std::move(work));
	}
	void set_limits(collect_limits limits) { caf::anon_send(m_actor, limits_atom::value, limits); }
	std::shared_ptr<hasher_stats const> stats() const { return m_stats; }
	/// Bytes waiting to be hashed.
	std::uint64_t backlog_bytes() const
	{
		auto const hashed = m_stats->hashed_bytes.load(std::memory_order_relaxed);
		auto const submitted = m_submitted_bytes.load(std::memory_order_relaxed);
		return submitted > hashed ? submitted - hashed : 0; // read at different moments
	}

	std::atomic<std::size_t> open_streams{0}; ///< any thread

private:
	std::atomic<std::uint64_t> m_submitted_bytes{0};
	std::shared_ptr<hasher_stats> m_stats = std::make_shared<hasher_stats>();
	hasher_actor m_actor;
};

namespace
{

/// A stream that remembers its hasher, so that all tasks of a piece run there in order.
struct pooled_stream : hash_stream {
	pooled_stream(bool want_sha1, bool want_block_sha256, std::shared_ptr<hash_plan const> plan,
		std::shared_ptr<hasher_pool::worker> w)
		: hash_stream(want_sha1, want_block_sha256, std::move(plan)), worker(std::move(w))
	{
	}
	~pooled_stream() override
	{
		if (worker != nullptr)
			worker->open_streams.fetch_sub(1, std::memory_order_relaxed);
	}
	std::shared_ptr<hasher_pool::worker> worker; ///< counts this stream already; null: hash in the caller
};

} // namespace

hasher_pool::hasher_pool(caf::actor_system &system, std::shared_ptr<hash_plan const> plan)
	: m_system(system), m_plan(std::move(plan)), m_lanes(m_plan->choose(sha_kind::sha1, sha_lanes_max).lanes)
{
}

hasher_pool::~hasher_pool() = default;

void hasher_pool::resize(std::uint32_t hashers)
{
	// Retired workers are let go outside the lock: their destructors send messages.
	std::vector<std::shared_ptr<worker>> retired;
	std::lock_guard const lock(m_mutex);
	while (m_workers.size() > hashers) {
		retired.push_back(std::move(m_workers.back()));
		m_workers.pop_back();
	}
	while (m_workers.size() < hashers)
		m_workers.push_back(std::make_shared<worker>(m_system, m_plan, m_limits));
}

void hasher_pool::set_limits(collect_limits limits)
{
	std::lock_guard const lock(m_mutex);
	m_limits = limits;
	for (auto const &w : m_workers)
		w->set_limits(limits);
}

std::uint32_t hasher_pool::size() const
{
	std::lock_guard const lock(m_mutex);
	return static_cast<std::uint32_t>(m_workers.size());
}

void hasher_pool::submit(hash_task task)
{
	// Every stream given to submit() came from open_stream(). The worker is held until the task is in its
	// mailbox: what was sent before may end the stream.
	auto const chosen = std::static_pointer_cast<pooled_stream>(task.stream)->worker;
	if (chosen == nullptr)
		run_hash_task(std::move(task));
	else
		chosen->submit(std::move(task));
}

std::shared_ptr<hash_stream> hasher_pool::open_stream(bool want_sha1, bool want_block_sha256)
{
	auto const load = [](std::shared_ptr<worker> const &w) {
		return w->open_streams.load(std::memory_order_relaxed);
	};
	auto const has_room = [&](std::shared_ptr<worker> const &w) {
		return load(w) < m_lanes && w->backlog_bytes() < backlog_bytes_max;
	};
	std::shared_ptr<worker> chosen;
	{
		std::lock_guard const lock(m_mutex);
		// Few hashers with full lanes cost less than many with one piece each.
		auto at = std::find_if(m_workers.begin(), m_workers.end(), has_room);
		if (at == m_workers.end())
			at = std::min_element(m_workers.begin(), m_workers.end(),
				[&](auto const &a, auto const &b) { return load(a) < load(b); });
		if (at != m_workers.end()) {
			chosen = *at;
			chosen->open_streams.fetch_add(1, std::memory_order_relaxed);
		}
	}
	return std::make_shared<pooled_stream>(want_sha1, want_block_sha256, m_plan, std::move(chosen));
}

std::vector<std::shared_ptr<hasher_stats const>> hasher_pool::stats() const
{
	std::lock_guard const lock(m_mutex);
	std::vector<std::shared_ptr<hasher_stats const>> all;
	for (auto const &w : m_workers)
		all.push_back(w->stats());
	return all;
}

} // namespace ezio
