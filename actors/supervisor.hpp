#pragma once

#include "actors/core/error.hpp"
#include "actors/messages.hpp"
#include "actors/timeouts.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spdlog
{
class logger;
}

namespace ezio
{

/// What a child of the daemon is for.
enum class child_role : std::uint8_t {
	control,
	settings,
	session,
	admission,
	state_keeper,
	partition,
	stats,
	event_outlet,
	event_logger
};
inline constexpr std::size_t child_roles = 9;

/// "control", "partition".
std::string_view to_string(child_role role);

/// One step of the stop order: every child of the role is told to stop, then all are awaited.
struct stop_stage {
	child_role role;
	std::chrono::seconds time_out;
	/// The child answers stop_atom with a void_reply when its work is done; otherwise its end is the answer.
	bool has_reply = false;
};

/// The one list. No new requests first; the session hands its last jobs to the partitions before these write
/// and flush, and needs no admission any more; who reports and logs goes last, so that nothing that happens
/// before is lost.
inline constexpr std::array<stop_stage, child_roles> stop_order{{
	{child_role::control, timeouts::stop_light_actor},
	{child_role::settings, timeouts::stop_light_actor},
	{child_role::session, timeouts::stop_session, true},
	{child_role::admission, timeouts::stop_admission},
	{child_role::state_keeper, timeouts::stop_light_actor},
	{child_role::partition, timeouts::stop_partition, true},
	{child_role::stats, timeouts::stop_light_actor},
	{child_role::event_outlet, timeouts::stop_light_actor},
	{child_role::event_logger, timeouts::stop_light_actor},
}};

/// Position in the stop order; child_roles if the role is missing from it.
constexpr std::size_t stage_of(child_role role)
{
	std::size_t at = 0;
	while (at < stop_order.size() && stop_order[at].role != role)
		++at;
	return at;
}

/// One actor under supervision.
struct child {
	child_role role = child_role::control;
	std::string name; ///< "partition 3"
	caf::actor handle;
	bool is_retired = false; ///< told to stop ahead of its turn
};

/// How the stop went.
struct stop_report {
	std::vector<std::string> not_ended; ///< children that outlived their time-out
	std::vector<error> failures;        ///< what children reported, or died of

	bool is_clean() const { return not_ended.empty() && failures.empty(); }
};

using watch_atom = caf::atom_constant<caf::atom("watch")>;
using retire_atom = caf::atom_constant<caf::atom("retire")>;

using supervisor_actor = caf::typed_actor<
	// Watches a child from now on.
	caf::reacts_to<watch_atom, child>,
	// Stops a child ahead of its turn, since its work has gone to others. In its turn it is only awaited.
	caf::reacts_to<retire_atom, caf::actor>,
	// To itself: the time of this stage of the stop order is over.
	caf::reacts_to<tick_atom, std::uint64_t>,
	// Stops all children in order; answers when the last has ended or run out of time, and ends.
	caf::replies_to<stop_atom>::with<stop_report>>;

struct supervisor_config {
	std::shared_ptr<spdlog::logger> logger;
	/// A child died that should not have: the daemon must stop, in order, and fail. Must not block.
	std::function<void(std::string const &what)> on_unexpected_end;
};

struct supervisor_state {
	supervisor_config config;
	std::vector<child> children; ///< alive
	std::size_t stage = 0;       ///< index into stop_order while stopping
	bool is_stopping = false;
	stop_report report;
	std::vector<caf::typed_response_promise<stop_report>> waiting;
	static inline char const *name = "supervisor";
};

/// Births, deaths, stop order. The first to be spawned and the last to end.
supervisor_actor::behavior_type supervisor(
	supervisor_actor::stateful_pointer<supervisor_state> self, supervisor_config config);

} // namespace ezio

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ezio::stop_report)
