#include "tests/sim/model/swarm.hpp"

#include <algorithm>
#include <cstdio>

namespace ezio::sim
{

namespace
{

sim_time to_time(double seconds)
{
	return static_cast<sim_time>(seconds * static_cast<double>(second));
}

double to_seconds(sim_time time)
{
	return static_cast<double>(time) / static_cast<double>(second);
}

} // namespace

swarm::swarm(scenario const &s)
	: m_s(s), m_random(s.seed), m_network(m_events, s.chunk_kib * 1024, s.window), m_copies(s.pieces),
	  m_unfinished(s.nodes)
{
	build();
}

void swarm::build()
{
	double const rate = m_s.payload_rate() * (1 - m_s.overhead);
	std::uint32_t const racks = m_s.rack ? (m_s.nodes + m_s.rack - 1) / m_s.rack : 0;
	m_rack_up.resize(racks + 1);
	m_rack_down.resize(racks + 1);
	for (std::uint32_t rack = 1; rack <= racks; ++rack) {
		m_rack_up[rack] = m_network.add_link(rate * m_s.rack / m_s.oversubscribed);
		m_rack_down[rack] = m_network.add_link(rate * m_s.rack / m_s.oversubscribed);
	}
	m_nodes.reserve(m_s.nodes + 1);
	for (std::uint32_t id = 0; id <= m_s.nodes; ++id) {
		node &n = m_nodes.emplace_back(m_s.pieces, id == source);
		double const share = id != source && is_slow(id) ? m_s.slow_share : 1;
		n.up = m_network.add_link(rate * share);
		n.down = m_network.add_link(rate * share);
		n.rack = id != source && m_s.rack ? (id - 1) / m_s.rack + 1 : 0;
		n.open_count = id == source ? 0 : m_s.pieces;
	}
	m_nodes[source].is_alive = true;
	m_nodes[source].ended_at = 0;
	m_is_directing = m_s.directed;
	for (std::uint32_t piece = 0; m_s.directed && piece < m_s.pieces; ++piece) {
		m_not_given.push_back(piece);
	}
	for (std::uint32_t id = 1; id <= m_s.nodes; ++id) {
		double const delay = m_s.start_s + m_s.jitter_s * m_random.share() + m_s.stagger_s * m_random.share();
		if (!is_late(id)) {
			m_events.schedule(to_time(delay), event_kind::join, id);
		}
	}
	if (m_s.slots != 0 || m_s.source_slots != 0) {
		m_events.schedule(to_time(m_s.start_s + m_s.rechoke_s), event_kind::rechoke);
	}
}

outcome swarm::run()
{
	while (!m_events.is_empty() && !is_over()) {
		handle(m_events.next());
		++m_handled;
	}
	return sum_up();
}

bool swarm::is_over() const
{
	return m_unfinished == 0;
}

void swarm::handle(event const &e)
{
	switch (e.kind) {
	case event_kind::link_done:
		if (auto const arrived = m_network.on_link_done(e.a)) {
			deliver(*arrived);
		}
		break;
	case event_kind::announce:
		announce(e.a, e.b);
		break;
	case event_kind::join:
		join(e.a);
		break;
	case event_kind::discover:
		discover(e.a);
		break;
	case event_kind::rechoke:
		rechoke();
		break;
	}
}

void swarm::join(std::uint32_t id)
{
	node &v = m_nodes[id];
	if (v.is_dead) {
		return;
	}
	v.is_alive = true;
	v.joined_at = m_events.now() - to_time(m_s.start_s);
	connect(source, id);
	m_events.schedule(to_time(m_s.discover_s), event_kind::discover, id);
}

void swarm::deliver(flow_id id)
{
	stream &f = m_streams[id];
	node &v = m_nodes[f.to];
	item &i = f.items.front();
	std::uint32_t const chunk = i.is_backward ? --i.at : i.at++;
	--i.left;
	--f.outstanding;
	++f.given;
	++m_delivered;
	++v.received_chunks;
	item const current = i;
	if (current.left == 0) {
		f.items.erase(f.items.begin());
		tune(id, current);
		end_item(id, current.piece);
	}
	partial *p = find_partial(f.to, current.piece);
	if (p && (p->missing & bits(chunk, 1))) {
		p->missing &= ~bits(chunk, 1);
		if (p->missing == 0) {
			complete(f.to, current.piece);
		} else if (current.twin != no_flow) {
			cut_twin(id, current);
		}
	} else {
		++v.duplicate_chunks;
	}
	if (current.left == 0) {
		end_turn(id);
	}
	if (f.outstanding < f.limit) {
		ask(id);
	}
}

/// Whoever still sends of the piece stops, and is asked for something else.
void swarm::complete(std::uint32_t id, std::uint32_t piece)
{
	node &v = m_nodes[id];
	partial const whole = *find_partial(id, piece);
	std::erase_if(v.partials, [&](partial const &p) { return p.piece == piece; });
	++v.have_count;
	m_early_pieces += !is_late(id);
	if (v.have_count == m_s.pieces) {
		v.ended_at = m_events.now();
		--m_unfinished;
	}
	m_events.schedule(to_time(m_s.reaction_s), event_kind::announce, id, piece);
	for (flow_id const other : whole.flows) {
		auto const &items = m_streams[other].items;
		for (std::size_t i = items.size(); i > 0; --i) {
			if (items[i - 1].piece == piece) {
				drop_unsent(other, i - 1);
			}
		}
		ask(other);
	}
	if (v.ended_at) {
		for (flow_id const in : std::vector(v.incoming)) {
			release_slot(in);
		}
	}
	if (!m_is_half && m_early_pieces * 2 >= std::uint64_t{m_s.nodes - m_s.late} * m_s.pieces) {
		do_half_time();
	}
}

void swarm::announce(std::uint32_t id, std::uint32_t piece)
{
	node &u = m_nodes[id];
	if (!u.is_alive) {
		return;
	}
	u.offered.insert(piece);
	if (m_copies[piece]++ == 0) {
		++m_pieces_out;
		came_out(piece);
	}
	std::size_t const count = u.incoming.size();
	std::size_t const first = count ? m_random.below(static_cast<std::uint32_t>(count)) : 0;
	auto const neighbours = u.incoming;
	for (std::size_t i = 0; i < count; ++i) {
		flow_id const to = neighbours[(first + i) % count] ^ 1;
		stream const &f = m_streams[to];
		node &v = m_nodes[f.to];
		++v.copies[piece];
		if (!f.is_remote) {
			v.near.insert(piece);
		}
		if (f.outstanding < f.limit && (v.open.has(piece) || (v.open_count == 0 && f.items.empty()))) {
			ask(to);
		}
	}
}

void swarm::do_half_time()
{
	m_is_half = true;
	for (std::uint32_t id = m_s.nodes - m_s.late + 1; id <= m_s.nodes; ++id) {
		m_events.schedule(to_time(m_s.start_s + m_s.jitter_s * m_random.share()), event_kind::join, id);
	}
	std::uint32_t const ordinary = m_s.nodes - m_s.late - m_s.slow;
	for (auto left = static_cast<std::uint32_t>(m_s.kill * m_s.nodes); left > 0;) {
		std::uint32_t const id = 1 + m_random.below(ordinary);
		if (!m_nodes[id].is_dead) {
			--left;
			die(id);
		}
	}
}

void swarm::die(std::uint32_t id)
{
	node &n = m_nodes[id];
	n.is_alive = false;
	n.is_dead = true;
	m_unfinished -= !n.ended_at;
	for (std::uint32_t piece = 0; id != source && piece < m_s.pieces; ++piece) {
		if (n.offered.has(piece) && --m_copies[piece] == 0) {
			--m_pieces_out;
			if (m_is_directing) {
				m_not_given.push_front(piece);
			}
		}
	}
	for (flow_id const in : std::vector(n.incoming)) {
		std::uint32_t const neighbour = m_streams[in].from;
		disconnect(in);
		disconnect(in ^ 1);
		fill_slots(neighbour);
		ask_all(neighbour);
		m_events.schedule(to_time(m_s.discover_s), event_kind::discover, neighbour);
	}
}

outcome swarm::sum_up() const
{
	outcome o;
	auto const image = static_cast<double>(m_s.image_bytes());
	std::vector<double> ends;
	std::uint64_t received = 0;
	std::uint64_t duplicate = 0;
	for (std::uint32_t id = 1; id < m_nodes.size(); ++id) {
		node const &n = m_nodes[id];
		received += n.received_chunks;
		duplicate += n.duplicate_chunks;
		if (n.is_dead || !n.ended_at) {
			continue;
		}
		if (is_late(id)) {
			o.late_last_s = std::max(o.late_last_s, to_seconds(*n.ended_at - n.joined_at));
		} else if (is_slow(id)) {
			o.slow_last_s = std::max(o.slow_last_s, to_seconds(*n.ended_at));
		} else {
			ends.push_back(to_seconds(*n.ended_at));
		}
	}
	std::sort(ends.begin(), ends.end());
	o.unfinished = m_unfinished;
	if (!ends.empty()) {
		o.first_s = ends.front();
		o.median_s = ends[ends.size() / 2];
		o.last_s = ends.back();
		o.efficiency = m_unfinished ? 0 : m_s.ideal_s() / o.last_s;
	}
	o.copy_out_s = to_seconds(m_copy_out_at);
	o.source_images = static_cast<double>(m_network.carried_bytes(m_nodes[source].up)) / image;
	o.received_images = static_cast<double>(received) * m_s.chunk_kib * 1024 / image;
	o.duplicate_share = received ? static_cast<double>(duplicate) / static_cast<double>(received) : 0;
	for (std::size_t rack = 1; rack < m_rack_up.size(); ++rack) {
		double const in = static_cast<double>(m_network.carried_bytes(m_rack_down[rack])) / image;
		double const out = static_cast<double>(m_network.carried_bytes(m_rack_up[rack])) / image;
		auto const racks = static_cast<double>(m_rack_up.size() - 1);
		o.rack_in_images += in / racks;
		o.rack_out_images += out / racks;
		o.rack_in_images_max = std::max(o.rack_in_images_max, in);
		o.rack_out_images_max = std::max(o.rack_out_images_max, out);
	}
	o.events = m_handled;
	return o;
}

std::string to_json_members(outcome const &o)
{
	char text[1024];
	std::snprintf(text, sizeof text,
		"\"first_s\": %.3f, \"median_s\": %.3f, \"last_s\": %.3f, \"efficiency\": %.4f, \"unfinished\": %u, "
		"\"slow_last_s\": %.3f, \"late_last_s\": %.3f, \"copy_out_s\": %.3f, \"source_images\": %.4f, "
		"\"received_images\": %.4f, \"duplicate_share\": %.5f, \"rack_in_images\": %.3f, "
		"\"rack_in_images_max\": %.3f, "
		"\"rack_out_images\": %.3f, \"rack_out_images_max\": %.3f, \"events\": %llu",
		o.first_s, o.median_s, o.last_s, o.efficiency, o.unfinished, o.slow_last_s, o.late_last_s,
		o.copy_out_s, o.source_images, o.received_images, o.duplicate_share, o.rack_in_images,
		o.rack_in_images_max, o.rack_out_images, o.rack_out_images_max,
		static_cast<unsigned long long>(o.events));
	return text;
}

} // namespace ezio::sim
