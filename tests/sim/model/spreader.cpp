#include "tests/sim/model/swarm.hpp"

#include <algorithm>
#include <utility>

namespace ezio::sim
{

namespace
{

/// A piece is given again when so many times as many as are on their way came out after it was given.
constexpr std::uint64_t late_after_rounds = 3;
/// One node has no more on their way than this, be it the first one to connect.
constexpr std::uint32_t in_hand_most = 4;

} // namespace

/// Keeps as many pieces on their way as the scenario says. When all are, what is still to come may be sent to
/// a second node.
void swarm::direct()
{
	if (!m_is_directing || !m_nodes[source].is_alive) {
		return;
	}
	for (std::size_t tries = m_not_given.size(); m_given.size() < m_s.ahead && tries > 0; --tries) {
		std::uint32_t const piece = m_not_given.front();
		m_not_given.pop_front();
		give(piece, false);
	}
	if (m_not_given.empty() && m_given.size() < m_s.ahead / 2) {
		auto const oldest =
			std::find_if(m_given.begin(), m_given.end(), [](gift const &g) { return !g.is_twin; });
		if (oldest != m_given.end()) {
			oldest->is_twin = true;
			give(oldest->piece, true);
		}
	}
}

/// To the neighbour that has the fewest on their way; the piece waits if none can take it.
void swarm::give(std::uint32_t piece, bool is_twin)
{
	auto const &neighbours = m_nodes[source].incoming;
	flow_id chosen = no_flow;
	auto const count = static_cast<std::uint32_t>(neighbours.size());
	std::uint32_t const first = count ? m_random.below(count) : 0;
	std::size_t const most = count ? std::min(in_hand_most, m_s.ahead / count + 1) : 0;
	for (std::uint32_t i = 0; i < count; ++i) {
		flow_id const to = neighbours[(first + i) % count] ^ 1;
		bool const is_emptier =
			chosen == no_flow || m_streams[to].items.size() < m_streams[chosen].items.size();
		if (is_emptier && m_streams[to].items.size() < most && m_nodes[m_streams[to].to].open.has(piece)) {
			chosen = to;
		}
	}
	if (chosen != no_flow) {
		m_given.push_back({piece, chosen, m_outs_ever, is_twin});
		request(chosen, piece, true);
	} else if (!is_twin) {
		m_not_given.push_back(piece);
	}
}

/// The node will not bring it out.
void swarm::take_back(std::uint32_t piece, flow_id to)
{
	bool const was_given =
		std::erase_if(m_given, [&](gift const &g) { return g.piece == piece && g.to == to; }) != 0;
	bool const has_twin =
		std::any_of(m_given.begin(), m_given.end(), [&](gift const &g) { return g.piece == piece; });
	if (was_given && !has_twin && m_copies[piece] == 0) {
		m_not_given.push_front(piece);
	}
}

/// A node other than the source offers the piece, and none did before.
void swarm::came_out(std::uint32_t piece)
{
	++m_outs_ever;
	std::erase_if(m_given, [&](gift const &g) { return g.piece == piece; });
	std::erase(m_not_given, piece);
	std::erase_if(m_given, [&](gift const &g) {
		bool const is_late = m_outs_ever - g.outs_before >= late_after_rounds * m_s.ahead;
		if (is_late && !g.is_twin) {
			m_not_given.push_front(g.piece);
		}
		return is_late;
	});
	if (m_pieces_out == m_s.pieces && m_copy_out_at == 0) {
		m_copy_out_at = m_events.now();
		if (m_s.lose_source) {
			die(source);
		}
		if (std::exchange(m_is_directing, false)) {
			for (flow_id const in : std::vector(m_nodes[source].incoming)) {
				ask(in ^ 1);
			}
		}
	}
	direct();
}

} // namespace ezio::sim
