#include "actors/disk_partition.hpp"

#include "actors/thread_name.hpp"

#include <chrono>
#include <utility>

namespace ezio
{
namespace
{

/// How soon a drain that waits for hashers or for free blocks looks again.
constexpr auto drain_check_interval = std::chrono::milliseconds(1);

/// Wakes the actor when the engine next has something due. An earlier deadline sends another tick than the
/// one on its way, since a read that waits for a block must not wait for the delay of writes.
void schedule_tick(disk_partition_actor::stateful_pointer<disk_partition_state> self)
{
	auto const deadline = self->state.engine->next_deadline();
	if (!deadline || !self->state.ticks.add(*deadline))
		return;
	auto const now = monotonic_clock::now();
	// What is due already stands behind all that has arrived, and needs no clock.
	if (*deadline <= now)
		self->send(self, tick_atom::value);
	else
		self->delayed_send(
			self, std::chrono::duration_cast<std::chrono::nanoseconds>(*deadline - now), tick_atom::value);
}

void give_up_drain(disk_partition_actor::stateful_pointer<disk_partition_state> self, char const *why)
{
	if (!self->state.drain)
		return;
	self->state.drain->promise.deliver(void_reply(make_error(errc::aborted, why)));
	self->state.drain.reset();
}

void continue_drain(disk_partition_actor::stateful_pointer<disk_partition_state> self)
{
	auto &state = self->state;
	if (!state.drain)
		return;
	if (state.engine->drain()) {
		auto done = state.drain->request.closes_handles ? state.engine->close_handles() : result<void>();
		state.drain->promise.deliver(void_reply(std::move(done)));
		state.drain.reset();
	} else if (!state.is_drain_check_pending) {
		state.is_drain_check_pending = true;
		self->delayed_send(self, drain_check_interval, drain_atom::value);
	}
}

} // namespace

disk_partition_actor::behavior_type disk_partition(
	disk_partition_actor::stateful_pointer<disk_partition_state> self, disk_partition_config config)
{
	name_own_thread(*self, "partition");
	self->state.stats = config.stats;
	disk_partition_actor const me(self);
	self->state.engine =
		std::make_unique<partition_engine>(*config.arena, *config.hashers, *config.stats, config.limits,
			monotonic_clock::now, wait_for_retry, [me] { caf::anon_send(me, wakeup_atom::value); });
	return {
		[self](job_batch &batch) {
			for (auto &job : batch->jobs)
				self->state.engine->process(std::move(job));
			batch.reset();
			self->state.engine->end_of_batch();
			schedule_tick(self);
		},
		[self](flush_atom) {
			// Before the rest: who presses from now on means what comes after.
			self->state.stats->is_press_on_its_way.store(false);
			self->state.engine->relieve();
			schedule_tick(self);
		},
		[self](tick_atom) {
			self->state.ticks.arrived();
			self->state.engine->end_of_batch();
			schedule_tick(self);
		},
		[self](wakeup_atom) {
			self->state.engine->end_of_batch();
			schedule_tick(self);
		},
		[self](limits_atom, engine_limits const &limits) {
			self->state.engine->set_limits(limits);
			self->state.engine->end_of_batch();
			schedule_tick(self);
		},
		[self](drain_atom, drain_request const &request) -> caf::result<void_reply> {
			give_up_drain(self, "another drain has begun");
			auto const promise = self->make_response_promise<void_reply>();
			self->state.drain = {request, promise};
			continue_drain(self);
			return promise;
		},
		[self](drain_atom) {
			self->state.is_drain_check_pending = false;
			continue_drain(self);
		},
		[self](resume_atom) {
			give_up_drain(self, "the drain was given up");
			schedule_tick(self);
		},
		[self](stop_atom) -> void_reply {
			give_up_drain(self, "the partition stops");
			auto stopped = self->state.engine->stop();
			self->quit();
			return stopped;
		},
	};
}

} // namespace ezio
