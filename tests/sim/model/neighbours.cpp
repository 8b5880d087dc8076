#include "tests/sim/model/swarm.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ezio::sim
{

void swarm::discover(std::uint32_t id)
{
	node const &v = m_nodes[id];
	if (!v.is_alive || v.ended_at) {
		return;
	}
	if (m_s.nodes <= m_s.conns) {
		for (std::uint32_t other = 1; other < m_nodes.size(); ++other) {
			connect(id, other);
		}
		return;
	}
	std::uint32_t const sought = std::max(1u, m_s.conns * 3 / 4);
	for (std::uint32_t tries = 0; tries < 4 * sought && v.incoming.size() < sought; ++tries) {
		connect(id, pick_neighbour(id));
	}
}

std::uint32_t swarm::pick_neighbour(std::uint32_t id)
{
	std::uint32_t const rack = m_nodes[id].rack;
	if (rack != 0 && m_random.share() < m_s.local) {
		std::uint32_t const first = (rack - 1) * m_s.rack + 1;
		return first + m_random.below(std::min(m_s.rack, m_s.nodes + 1 - first));
	}
	return 1 + m_random.below(m_s.nodes);
}

/// Nothing happens where both are connected already, or one of them is full or away.
void swarm::connect(std::uint32_t a, std::uint32_t b)
{
	node const &l = m_nodes[a];
	node const &r = m_nodes[b];
	bool const is_known = std::any_of(
		l.incoming.begin(), l.incoming.end(), [&](flow_id id) { return m_streams[id].from == b; });
	if (a == b || is_known || !l.is_alive || !r.is_alive || l.incoming.size() >= conns_of(a) ||
		r.incoming.size() >= conns_of(b)) {
		return;
	}
	flow_id const there = add_stream(a, b);
	flow_id const back = add_stream(b, a);
	ask(there);
	ask(back);
	if (a == source) {
		direct();
	}
}

flow_id swarm::add_stream(std::uint32_t from, std::uint32_t to)
{
	node const &u = m_nodes[from];
	node &v = m_nodes[to];
	std::array<link_id, 4> route{u.up};
	std::size_t hops = 1;
	bool const is_remote = u.rack != v.rack;
	if (is_remote && u.rack != 0) {
		route[hops++] = m_rack_up[u.rack];
	}
	if (is_remote && v.rack != 0) {
		route[hops++] = m_rack_down[v.rack];
	}
	route[hops++] = v.down;
	flow_id const id = m_network.add_flow(std::span(route).first(hops));
	stream &f = m_streams.emplace_back();
	f.from = from;
	f.to = to;
	f.is_remote = is_remote;
	f.is_choked = slots_of(from) != 0;
	v.incoming.push_back(id);
	for (std::uint32_t piece = 0; piece < m_s.pieces; ++piece) {
		if (u.offered.has(piece)) {
			++v.copies[piece];
			if (!is_remote) {
				v.near.insert(piece);
			}
		}
	}
	return id;
}

/// What it was to bring is open again.
void swarm::disconnect(flow_id id)
{
	stream &f = m_streams[id];
	node &v = m_nodes[f.to];
	m_network.close(id);
	f.outstanding = 0;
	for (auto const items = std::exchange(f.items, {}); item const &i : items) {
		end_item(id, i.piece);
		give_back(id, i.piece, i.chunks());
	}
	if (!f.is_choked && slots_of(f.from) != 0) {
		f.is_choked = true;
		--m_nodes[f.from].slots_used;
	}
	std::erase(v.incoming, id);
	for (std::uint32_t piece = 0; piece < m_s.pieces; ++piece) {
		v.copies[piece] -= m_nodes[f.from].offered.has(piece);
	}
	if (!m_s.prefer_rack) {
		return;
	}
	v.near = piece_set(m_s.pieces);
	for (flow_id const other : v.incoming) {
		for (std::uint32_t piece = 0; !m_streams[other].is_remote && piece < m_s.pieces; ++piece) {
			if (m_nodes[m_streams[other].from].offered.has(piece)) {
				v.near.insert(piece);
			}
		}
	}
}

} // namespace ezio::sim
