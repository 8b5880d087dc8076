#pragma once

#include "ctl/probe.hpp"
#include "ctl/wait_condition.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <string>

namespace ezio::ctl
{

/// Where one node of a fleet stands to what `fleet wait` waits for. Trouble that may pass (nobody answers,
/// there is no torrent yet) becomes a failure when it has lasted for the grace time; an error of a torrent is
/// one at once; either ends when the node tells better. What was downloaded, synced or verified once stays
/// so: a node may be switched off then. Pure; the caller brings the time.
class node_wait
{
public:
	node_wait(wait_condition condition, std::chrono::duration<double> grace);

	void answered(torrent_list const &list, clock::time_point time);
	void failed(error const &why, clock::time_point time);
	/// reached: the condition holds. failed: it will not come true by itself. pending: wait on.
	wait_outcome outcome(clock::time_point time) const;
	/// Nothing that the node says can change the outcome any more.
	bool is_final() const { return m_is_kept; }

private:
	void trouble(error const &why, clock::time_point time);
	std::optional<error> removed_one(torrent_list const &list);

	wait_condition m_condition;
	std::chrono::duration<double> m_grace;
	wait_outcome m_now;
	std::optional<clock::time_point> m_trouble_since;
	error m_trouble; ///< meaningful while m_trouble_since is set
	std::set<std::string> m_seen;
	bool m_is_kept = false;
};

} // namespace ezio::ctl
