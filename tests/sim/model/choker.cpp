#include "tests/sim/model/swarm.hpp"

#include <algorithm>

namespace ezio::sim
{

bool swarm::could_take(flow_id id)
{
	stream const &f = m_streams[id];
	node const &u = m_nodes[f.from];
	node const &v = m_nodes[f.to];
	if (!u.is_alive || !v.is_alive || v.ended_at || (f.from == source && m_is_directing)) {
		return false;
	}
	if (v.open_count != 0) {
		return has_wanted(u.offered, v.open, avoided(id));
	}
	return std::any_of(
		v.partials.begin(), v.partials.end(), [&](partial const &p) { return u.offered.has(p.piece); });
}

void swarm::wait_for_slot(flow_id id)
{
	stream &f = m_streams[id];
	if (!f.is_waiting && could_take(id)) {
		f.is_waiting = true;
		m_nodes[f.from].waiting.push_back(id);
		fill_slots(f.from);
	}
}

void swarm::fill_slots(std::uint32_t id)
{
	node &u = m_nodes[id];
	while (u.slots_used < slots_of(id) && !u.waiting.empty()) {
		flow_id const next = u.waiting.front();
		u.waiting.pop_front();
		stream &f = m_streams[next];
		f.is_waiting = false;
		if (could_take(next)) {
			f.is_choked = false;
			f.turn = 0;
			++u.slots_used;
			ask(next);
		}
	}
}

/// The connection has nothing to ask for.
void swarm::release_slot(flow_id id)
{
	stream &f = m_streams[id];
	if (slots_of(f.from) != 0 && !f.is_choked) {
		f.is_choked = true;
		--m_nodes[f.from].slots_used;
		fill_slots(f.from);
	}
}

/// What has not been sent is open again, and asked of others.
void swarm::choke(flow_id id)
{
	stream &f = m_streams[id];
	f.is_choked = true;
	--m_nodes[f.from].slots_used;
	for (std::size_t i = f.items.size(); i > 0; --i) {
		drop_unsent(id, i - 1);
	}
	ask_all(f.to);
	wait_for_slot(id);
}

/// A piece has been sent. Where turns are taken and others wait, the slot is theirs.
void swarm::end_turn(flow_id id)
{
	stream &f = m_streams[id];
	if (slots_of(f.from) != 0 && !f.is_choked && m_s.turn != 0 && ++f.turn >= m_s.turn &&
		!m_nodes[f.from].waiting.empty()) {
		choke(id);
		fill_slots(f.from);
	}
}

/// A node that is not complete serves those who gave it most since the last time, and one of the others; a
/// complete one those who have waited longest.
void swarm::rechoke()
{
	for (std::uint32_t id = 0; id < m_nodes.size(); ++id) {
		node &u = m_nodes[id];
		std::uint32_t const slots = slots_of(id);
		if (!u.is_alive || slots == 0 || u.waiting.empty()) {
			continue;
		}
		std::vector<flow_id> ranked(u.waiting.begin(), u.waiting.end());
		std::vector<flow_id> served;
		for (flow_id const in : u.incoming) {
			if (!m_streams[in ^ 1].is_choked) {
				served.push_back(in ^ 1);
			}
		}
		ranked.insert(ranked.end(), served.begin(), served.end());
		if (id != source && !u.ended_at) {
			std::stable_sort(ranked.begin(), ranked.end(),
				[&](flow_id l, flow_id r) { return m_streams[l ^ 1].given > m_streams[r ^ 1].given; });
			std::size_t const kept = std::min<std::size_t>(slots - 1, ranked.size() - 1);
			auto const others = static_cast<std::uint32_t>(ranked.size() - kept);
			std::swap(ranked[kept], ranked[kept + m_random.below(others)]);
		}
		auto const chosen_end =
			ranked.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(slots, ranked.size()));
		// Those who are chosen come first in the queue, and so get what the others leave.
		u.waiting.clear();
		for (flow_id const each : ranked) {
			m_streams[each].is_waiting = m_streams[each].is_choked;
			if (m_streams[each].is_choked) {
				u.waiting.push_back(each);
			}
		}
		for (flow_id const each : served) {
			if (std::find(ranked.begin(), chosen_end, each) == chosen_end) {
				choke(each);
			}
		}
		fill_slots(id);
	}
	for (stream &f : m_streams) {
		f.given = 0;
	}
	if (m_delivered != m_delivered_at_rechoke) {
		m_delivered_at_rechoke = m_delivered;
		m_events.schedule(static_cast<sim_time>(m_s.rechoke_s * second), event_kind::rechoke);
	}
}

} // namespace ezio::sim
