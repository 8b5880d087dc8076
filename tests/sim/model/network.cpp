#include "tests/sim/model/network.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace ezio::sim
{

link_id network::add_link(double bytes_per_s)
{
	m_links.emplace_back().chunk_time =
		static_cast<sim_time>(std::llround(m_chunk_bytes / bytes_per_s * static_cast<double>(second)));
	return static_cast<link_id>(m_links.size() - 1);
}

flow_id network::add_flow(std::span<link_id const> route)
{
	assert(route.size() >= 2 && route.size() <= 4);
	flow &f = m_flows.emplace_back();
	std::copy(route.begin(), route.end(), f.route.begin());
	f.hops = static_cast<std::uint8_t>(route.size());
	return static_cast<flow_id>(m_flows.size() - 1);
}

void network::offer(flow_id id, std::uint32_t chunks)
{
	m_flows[id].waiting += chunks;
	queue_at_first_link(id);
}

void network::withdraw(flow_id id, std::uint32_t chunks)
{
	assert(chunks <= m_flows[id].waiting);
	m_flows[id].waiting -= chunks;
}

void network::close(flow_id id)
{
	m_flows[id].waiting = 0;
	m_flows[id].is_closed = true;
}

void network::queue_at_first_link(flow_id id)
{
	flow &f = m_flows[id];
	if (f.is_queued || f.waiting == 0 || f.under_way >= m_window * (f.hops - 1u)) {
		return;
	}
	f.is_queued = true;
	m_links[f.route[0]].queue.push_back(id);
	begin_next(f.route[0]);
}

void network::begin_next(link_id id)
{
	link &l = m_links[id];
	while (!l.sending && !l.queue.empty()) {
		flow_id const next = l.queue.front();
		flow &f = m_flows[next];
		l.queue.pop_front();
		if (f.route[0] == id) {
			f.is_queued = false;
			if (f.waiting == 0) {
				continue;
			}
			--f.waiting;
			++f.under_way;
		}
		l.sending = next;
		m_events.schedule(l.chunk_time, event_kind::link_done, id);
		if (f.route[0] == id) {
			queue_at_first_link(next);
		}
	}
}

std::optional<flow_id> network::on_link_done(link_id id)
{
	flow_id const sent = *m_links[id].sending;
	flow &f = m_flows[sent];
	m_links[id].sending.reset();
	++m_links[id].carried;
	begin_next(id);
	if (f.route[f.hops - 1u] != id) {
		auto const here = std::find(f.route.begin(), f.route.end(), id);
		link_id const onward = *std::next(here);
		m_links[onward].queue.push_back(sent);
		begin_next(onward);
		return std::nullopt;
	}
	--f.under_way;
	queue_at_first_link(sent);
	return f.is_closed ? std::nullopt : std::optional(sent);
}

} // namespace ezio::sim
