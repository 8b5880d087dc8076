#include "ctl/fleet_poll.hpp"

#include <algorithm>
#include <utility>

namespace ezio::ctl
{

fleet_poll::fleet_poll(
	std::vector<fleet_node> const &nodes, fleet_client client, std::vector<std::string> selectors, pace how)
	: m_client(std::move(client)), m_selectors(std::move(selectors)), m_pace(how),
	  m_next(nodes.size(), clock::now())
{
	for (auto const &node : nodes) {
		node_facts facts;
		facts.name = node.name;
		facts.endpoint = node.daemon.url;
		m_facts.push_back(std::move(facts));
	}
}

void fleet_poll::answered(fleet_answer answer)
{
	auto &facts = m_facts[answer.node];
	auto list = answer.what ? read_torrents(*answer.what) : result<torrent_list>(answer.what.failure());
	if (list) {
		facts.list = std::move(*list);
		facts.is_answered = true;
		facts.failure.reset();
	} else {
		facts.failure = list.failure();
		if (list.failure().code == errc::not_found)
			facts.list = {};
	}
	if (m_next[answer.node] != clock::time_point::max())
		m_next[answer.node] = clock::now() + m_pace.pause;
}

result<std::vector<std::size_t>> fleet_poll::advance(clock::time_point until, int watched_fd)
{
	auto const now = clock::now();
	for (std::size_t i = 0; i < m_next.size(); ++i) {
		if (m_client.is_asked(i))
			continue;
		if (m_next[i] <= now)
			m_client.ask(
				i, "status", {{"selectors", m_selectors}}, std::min(now + m_pace.request_time, m_end));
		else
			until = std::min(until, m_next[i]);
	}
	auto answers = m_client.next(until, watched_fd);
	if (!answers)
		return answers.failure();
	std::vector<std::size_t> heard;
	for (auto &answer : *answers) {
		heard.push_back(answer.node);
		answered(std::move(answer));
	}
	return heard;
}

} // namespace ezio::ctl
