#pragma once

#include "ctl/fleet_client.hpp"
#include "ctl/fleet_view.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace ezio::ctl
{

/// Asks all nodes for their torrents, each at its own pace: the next request follows a pause after the last
/// answer, or after a failure. Used by one thread.
class fleet_poll
{
public:
	struct pace {
		clock::duration pause;        ///< between an answer and the next request
		clock::duration request_time; ///< how long one request may take
	};

	fleet_poll(std::vector<fleet_node> const &nodes, fleet_client client, std::vector<std::string> selectors,
		pace how);

	std::vector<node_facts> const &facts() const { return m_facts; }
	/// Asks those whose time has come, waits until something is answered, @p until or @p watched_fd, and
	/// tells which nodes have been heard of. errc::interrupted.
	result<std::vector<std::size_t>> advance(clock::time_point until, int watched_fd = -1);
	/// Asks this node no more.
	void leave_alone(std::size_t node) { m_next[node] = clock::time_point::max(); }
	/// No request lasts longer than that.
	void end_at(clock::time_point end) { m_end = end; }

private:
	void answered(fleet_answer answer);

	fleet_client m_client;
	std::vector<std::string> m_selectors;
	pace m_pace;
	std::vector<node_facts> m_facts;
	std::vector<clock::time_point> m_next; ///< of each node: when it is asked again
	clock::time_point m_end = clock::time_point::max();
};

} // namespace ezio::ctl
