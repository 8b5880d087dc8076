#include "tests/sim/model/swarm.hpp"

#include <algorithm>
#include <bit>

namespace ezio::sim
{

/// Asks for as much as the connection may have under way.
void swarm::ask(flow_id id)
{
	stream &f = m_streams[id];
	node &v = m_nodes[f.to];
	if (!v.is_alive || !m_nodes[f.from].is_alive || v.ended_at) {
		return;
	}
	if (f.from == source && m_is_directing) {
		direct();
		return;
	}
	if (f.is_choked) {
		wait_for_slot(id);
		return;
	}
	bool const had_open = v.open_count != 0;
	while (f.outstanding < f.limit) {
		auto const piece = choose(id);
		if (!piece) {
			break;
		}
		request(id, *piece, m_s.whole);
	}
	if (f.items.empty() && v.open_count == 0) {
		take_over(id);
	}
	if (f.items.empty()) {
		release_slot(id);
	}
	if (had_open && v.open_count == 0) {
		ask_all(f.to);
	}
}

/// On each connection of the node, beginning with any.
void swarm::ask_all(std::uint32_t id)
{
	auto const incoming = m_nodes[id].incoming;
	std::size_t const first =
		incoming.empty() ? 0 : m_random.below(static_cast<std::uint32_t>(incoming.size()));
	for (std::size_t i = 0; i < incoming.size(); ++i) {
		flow_id const each = incoming[(first + i) % incoming.size()];
		if (m_streams[each].outstanding < m_streams[each].limit) {
			ask(each);
		}
	}
}

/// A piece that has been begun, so that it can be passed on soon; else the rarest.
std::optional<std::uint32_t> swarm::choose(flow_id id)
{
	stream const &f = m_streams[id];
	node const &v = m_nodes[f.to];
	if (v.open_count == 0) {
		return std::nullopt;
	}
	for (partial const &p : v.partials) {
		if (p.unasked != 0 && m_nodes[f.from].offered.has(p.piece) &&
			!(avoided(id) && avoided(id)->has(p.piece))) {
			return p.piece;
		}
	}
	return pick_rarest(m_nodes[f.from].offered, v.open, avoided(id), v.copies, m_random);
}

piece_set const *swarm::avoided(flow_id id) const
{
	stream const &f = m_streams[id];
	return m_s.prefer_rack && f.is_remote ? &m_nodes[f.to].near : nullptr;
}

/// The first chunks in a row that nobody was asked for: all of them, or as many as the connection has room
/// for.
void swarm::request(flow_id id, std::uint32_t piece, bool is_whole)
{
	stream const &f = m_streams[id];
	node &v = m_nodes[f.to];
	partial *p = find_partial(f.to, piece);
	if (p == nullptr) {
		auto const all = bits(0, m_s.chunks_per_piece());
		p = &v.partials.emplace_back(partial{piece, all, all, {}});
	}
	auto const first = static_cast<std::uint32_t>(std::countr_zero(p->unasked));
	auto count = static_cast<std::uint32_t>(std::countr_one(p->unasked >> first));
	if (!is_whole) {
		count = std::min(count, std::max(f.limit, f.outstanding + 1) - f.outstanding);
	}
	p->unasked &= ~bits(first, count);
	if (p->unasked == 0) {
		v.open.erase(piece);
		--v.open_count;
	}
	add_item(id, *p, {piece, first, count, false, no_flow, 0, 0});
}

void swarm::add_item(flow_id id, partial &p, item const &i)
{
	stream &f = m_streams[id];
	p.flows.push_back(id);
	f.outstanding += i.left;
	f.items.push_back(i);
	f.items.back().outstanding_then = f.outstanding;
	f.items.back().asked_at = m_events.now();
	m_network.offer(id, i.left);
}

/// Everything is asked for: brings from its other end what another connection has most to send of.
void swarm::take_over(flow_id id)
{
	stream const &f = m_streams[id];
	partial *of = nullptr;
	item *chosen = nullptr;
	flow_id owner = no_flow;
	std::uint32_t most = 1;
	for (partial &p : m_nodes[f.to].partials) {
		for (std::size_t k = 0; m_nodes[f.from].offered.has(p.piece) && k < p.flows.size(); ++k) {
			auto &items = m_streams[p.flows[k]].items;
			for (std::size_t i = 0; p.flows[k] != id && i < items.size(); ++i) {
				if (items[i].piece == p.piece && items[i].twin == no_flow &&
					not_begun(p.flows[k], i) > most) {
					most = not_begun(p.flows[k], i);
					owner = p.flows[k];
					chosen = &items[i];
					of = &p;
				}
			}
		}
	}
	if (chosen) {
		chosen->twin = id;
		std::uint32_t const at = chosen->is_backward ? chosen->low() : chosen->low() + chosen->left;
		add_item(id, *of, {of->piece, at, most, !chosen->is_backward, owner, 0, 0});
	}
}

/// A chunk of an item has come: whoever was to bring it from the other end need not.
void swarm::cut_twin(flow_id id, item const &arrived)
{
	auto &items = m_streams[arrived.twin].items;
	auto const other = std::find_if(
		items.begin(), items.end(), [&](item const &i) { return i.piece == arrived.piece && i.twin == id; });
	partial const *p = find_partial(m_streams[id].to, arrived.piece);
	if (other == items.end() || p == nullptr) {
		return;
	}
	std::uint32_t unsent = not_begun(arrived.twin, static_cast<std::size_t>(other - items.begin()));
	for (; unsent > 0 && (other->tail(1) & p->missing) == 0; --unsent) {
		m_network.withdraw(arrived.twin, 1);
		--m_streams[arrived.twin].outstanding;
		--other->left;
	}
	if (other->left == 0) {
		items.erase(other);
		end_item(arrived.twin, arrived.piece);
		ask(arrived.twin);
	}
}

/// Chunks of the item that the sender has not put on its link.
std::uint32_t swarm::not_begun(flow_id id, std::size_t index) const
{
	auto const &items = m_streams[id].items;
	std::uint32_t under_way = m_network.under_way(id);
	for (std::size_t i = 0; i < index; ++i) {
		under_way -= std::min(under_way, items[i].left);
	}
	return items[index].left - std::min(under_way, items[index].left);
}

void swarm::drop_unsent(flow_id id, std::size_t index)
{
	stream &f = m_streams[id];
	item &i = f.items[index];
	std::uint32_t const piece = i.piece;
	std::uint32_t const chunks = not_begun(id, index);
	chunk_bits const lost = i.tail(chunks);
	m_network.withdraw(id, chunks);
	f.outstanding -= chunks;
	i.left -= chunks;
	if (i.left == 0) {
		f.items.erase(f.items.begin() + static_cast<std::ptrdiff_t>(index));
		end_item(id, piece);
	}
	give_back(id, piece, lost);
}

/// The connection does not bring these chunks. Those that are missing and that no other one brings are to be
/// asked for again: true if there are any.
bool swarm::give_back(flow_id id, std::uint32_t piece, chunk_bits lost)
{
	stream const &f = m_streams[id];
	node &v = m_nodes[f.to];
	partial *p = find_partial(f.to, piece);
	if (p == nullptr) {
		return false;
	}
	lost &= p->missing;
	for (flow_id const other : p->flows) {
		for (item const &i : m_streams[other].items) {
			lost &= i.piece == piece ? ~i.chunks() : ~chunk_bits{0};
		}
	}
	if (lost == 0) {
		return false;
	}
	p->unasked |= lost;
	if (!v.open.has(piece)) {
		v.open.insert(piece);
		++v.open_count;
	}
	if (f.from == source && m_is_directing) {
		take_back(piece, id);
	}
	return true;
}

void swarm::end_item(flow_id id, std::uint32_t piece)
{
	if (partial *p = find_partial(m_streams[id].to, piece)) {
		p->flows.erase(std::find(p->flows.begin(), p->flows.end(), id));
	}
}

/// What was under way when the piece was asked for has come since: that is the rate.
void swarm::tune(flow_id id, item const &ended)
{
	stream &f = m_streams[id];
	double const took = static_cast<double>(m_events.now() - ended.asked_at) / static_cast<double>(second);
	double const wanted = ended.outstanding_then * m_s.queue_s / std::max(took, 1e-9);
	std::uint32_t const most =
		std::min(2 * f.limit, std::max(m_s.queue_kib / m_s.chunk_kib, least_outstanding_chunks));
	f.limit = static_cast<std::uint32_t>(std::clamp<double>(wanted, least_outstanding_chunks, most));
}

swarm::partial *swarm::find_partial(std::uint32_t id, std::uint32_t piece)
{
	auto &partials = m_nodes[id].partials;
	auto const p =
		std::find_if(partials.begin(), partials.end(), [&](partial const &e) { return e.piece == piece; });
	return p == partials.end() ? nullptr : &*p;
}

} // namespace ezio::sim
