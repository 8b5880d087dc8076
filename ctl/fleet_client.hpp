#pragma once

#include "ctl/fleet_nodes.hpp"
#include "ctl/probe.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

/// What came of one request to one node.
struct fleet_answer {
	std::size_t node = 0;
	result<nlohmann::json> what;
};

/// Connections to many daemons, with at most one request under way on each; none waits for another. A node
/// that fails is connected to anew at its next request. Used by one thread.
class fleet_client
{
public:
	/// Reads the keys of all nodes; connects to none yet. errc::invalid_argument, denied or not_found name
	/// the node. @p interrupted is looked at while waiting, at least five times a second.
	static result<fleet_client> open(
		std::vector<fleet_node> const &nodes, std::atomic<bool> const &interrupted);
	fleet_client(fleet_client &&) noexcept;
	fleet_client &operator=(fleet_client &&) noexcept;
	~fleet_client();

	/// Starts a request; the node must have none under way. Its answer, or why there is none, comes by
	/// next(): at the latest when somebody calls it after @p deadline.
	void ask(std::size_t node, std::string_view verb, nlohmann::json const &args, clock::time_point deadline);
	bool is_asked(std::size_t node) const;
	/// Waits until something was answered, @p watched_fd (-1: none) is readable or @p until has come, and
	/// hands over all answers. errc::interrupted.
	result<std::vector<fleet_answer>> next(clock::time_point until, int watched_fd = -1);

private:
	struct state;
	explicit fleet_client(std::unique_ptr<state> s);
	std::unique_ptr<state> m_state;
};

} // namespace ezio::ctl
