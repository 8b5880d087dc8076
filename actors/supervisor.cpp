#include "actors/supervisor.hpp"

#include "actors/caf_error.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace ezio
{

namespace
{

using self_pointer = supervisor_actor::stateful_pointer<supervisor_state>;

constexpr bool is_stop_order_complete()
{
	for (std::size_t role = 0; role < child_roles; ++role)
		if (stage_of(static_cast<child_role>(role)) == child_roles)
			return false;
	return true;
}
static_assert(is_stop_order_complete(), "every role stands in the stop order");

bool is_alive(supervisor_state const &state, child_role role)
{
	return std::any_of(
		state.children.begin(), state.children.end(), [role](child const &c) { return c.role == role; });
}

/// Was it told to stop with its stage?
bool is_told(supervisor_state const &state, child const &c)
{
	return state.is_stopping && stage_of(c.role) <= state.stage;
}

void stop_child(self_pointer self, child const &c, bool has_reply)
{
	if (!has_reply) {
		caf::anon_send(c.handle, stop_atom::value);
		return;
	}
	// No time-out of its own: that of the stage covers it.
	self->request(c.handle, caf::infinite, stop_atom::value)
		.then(
			[self, name = c.name](void_reply const &reply) {
				if (reply)
					return;
				self->state.config.logger->error(
					"{} stopped with an error: {}", name, to_string(reply.failure()));
				self->state.report.failures.push_back(reply.failure());
			},
			[self, name = c.name](caf::error const &failure) {
				self->state.report.failures.push_back(from_caf(failure, name));
			});
}

void finish_stop(self_pointer self)
{
	for (auto &promise : self->state.waiting)
		promise.deliver(self->state.report);
	self->state.waiting.clear();
	self->quit();
}

/// Tells the children of the present stage to stop; skips stages that nobody is left of.
void begin_stage(self_pointer self)
{
	auto &state = self->state;
	while (state.stage < stop_order.size() && !is_alive(state, stop_order[state.stage].role))
		++state.stage;
	if (state.stage == stop_order.size())
		return finish_stop(self);
	auto const &stage = stop_order[state.stage];
	state.config.logger->debug("stopping: {}", to_string(stage.role));
	for (auto const &c : state.children)
		if (c.role == stage.role && !c.is_retired)
			stop_child(self, c, stage.has_reply);
	self->delayed_send(self, stage.time_out, tick_atom::value, static_cast<std::uint64_t>(state.stage));
}

void end_of_time(self_pointer self, std::uint64_t stage)
{
	auto &state = self->state;
	if (!state.is_stopping || stage != state.stage)
		return;
	auto const role = stop_order[state.stage].role;
	for (auto const &c : state.children) {
		if (c.role != role)
			continue;
		state.config.logger->critical(
			"{} did not end within {} s", c.name, stop_order[state.stage].time_out.count());
		state.report.not_ended.push_back(c.name);
	}
	++state.stage;
	begin_stage(self);
}

void child_ended(self_pointer self, caf::down_msg const &down)
{
	auto &state = self->state;
	auto const found = std::find_if(state.children.begin(), state.children.end(),
		[&down](child const &c) { return c.handle.address() == down.source; });
	if (found == state.children.end())
		return;
	auto const ended = std::move(*found);
	state.children.erase(found);
	auto const is_its_turn = state.is_stopping && stage_of(ended.role) <= state.stage;
	if (!is_its_turn && !ended.is_retired) {
		auto const what = ended.name + " ended unexpectedly" +
			(down.reason ? ": " + caf::to_string(down.reason) : std::string());
		state.config.logger->critical("{}", what);
		state.report.failures.push_back(make_error(errc::internal, what));
		publish(self->system(), make_event(event_kind::warning, {}, what));
		if (!state.is_stopping)
			state.config.on_unexpected_end(what);
		return;
	}
	if (state.is_stopping && !is_alive(state, stop_order[state.stage].role)) {
		++state.stage;
		begin_stage(self);
	}
}

} // namespace

std::string_view to_string(child_role role)
{
	switch (role) {
	case child_role::control:
		return "control";
	case child_role::settings:
		return "settings";
	case child_role::session:
		return "session";
	case child_role::admission:
		return "admission";
	case child_role::state_keeper:
		return "state_keeper";
	case child_role::partition:
		return "partition";
	case child_role::stats:
		return "stats";
	case child_role::event_outlet:
		return "event_outlet";
	case child_role::event_logger:
		return "event_logger";
	}
	return "unknown";
}

supervisor_actor::behavior_type supervisor(
	supervisor_actor::stateful_pointer<supervisor_state> self, supervisor_config config)
{
	self->state.config = std::move(config);
	self->set_down_handler([self](caf::down_msg &down) { child_ended(self, down); });
	return {
		[self](watch_atom, child const &c) {
			self->state.children.push_back(c);
			self->monitor(c.handle);
		},
		[self](retire_atom, caf::actor const &handle) {
			auto &children = self->state.children;
			auto const found = std::find_if(
				children.begin(), children.end(), [&handle](child const &c) { return c.handle == handle; });
			// It may have died, which was reported, or have been told to stop with its stage.
			if (found == children.end() || found->is_retired || is_told(self->state, *found))
				return;
			found->is_retired = true;
			stop_child(self, *found, stop_order[stage_of(found->role)].has_reply);
		},
		[self](tick_atom, std::uint64_t stage) { end_of_time(self, stage); },
		[self](stop_atom) -> caf::result<stop_report> {
			auto const answer = self->make_response_promise<stop_report>();
			self->state.waiting.push_back(answer);
			if (!self->state.is_stopping) {
				self->state.is_stopping = true;
				begin_stage(self);
			}
			return answer;
		},
	};
}

} // namespace ezio
