#include "actors/core/piece_spreader.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

namespace ezio
{

piece_spreader::piece_spreader(std::int32_t pieces, std::int32_t first)
	: m_pieces(static_cast<std::size_t>(std::max(0, pieces))), m_first(pieces > 0 ? first % pieces : 0),
	  m_is_done(pieces <= 0)
{
}

void piece_spreader::join(peer_id peer, bool is_directed)
{
	auto &state = m_peers[peer];
	bool const is_new = is_directed && !state.is_directed;
	m_directed -= takes_part(state) ? 1 : 0;
	state.is_directed = is_directed;
	m_directed += takes_part(state) ? 1 : 0;
	if (!is_new)
		return;
	// Or it would come first until it owes as much as all others do for good.
	std::optional<std::size_t> least;
	for (auto const &[id, other] : m_peers) {
		if (id != peer && takes_part(other))
			least = std::min(least.value_or(other.owed_for_good), other.owed_for_good);
	}
	state.owed += least.value_or(0);
	state.owed_for_good += least.value_or(0);
}

void piece_spreader::leave(peer_id peer, piece_set const &had)
{
	auto const found = m_peers.find(peer);
	if (found == m_peers.end())
		return;
	auto state = std::move(found->second);
	m_peers.erase(found);
	m_directed -= takes_part(state) ? 1 : 0;
	for (auto &held : state.in_hand) {
		make_late(state, held);
		--at(held.piece).hands;
	}
	for (auto &piece : m_pieces)
		piece.given_too = piece.given_too == peer ? 0 : piece.given_too;
	if (state.is_source)
		return;
	for (std::size_t i = 0; i < m_pieces.size(); ++i) {
		if (!had.contains(piece_index(static_cast<std::int32_t>(i))))
			continue;
		if (m_pieces[i].owner == peer) {
			m_pieces[i].owner = 0;
			m_pieces[i].is_stuck = false;
		}
		if (--m_pieces[i].holders != 0)
			continue;
		m_pieces[i].given_too = 0;
		--m_out;
		wait_again(piece_index(static_cast<std::int32_t>(i)));
	}
}

void piece_spreader::has(peer_id peer, piece_index piece, monotonic_time now)
{
	auto *const state = find(peer);
	if (state == nullptr || state->is_source)
		return;
	++state->pieces_had;
	auto const held = std::find_if(state->in_hand.begin(), state->in_hand.end(),
		[piece](given const &one) { return one.piece == piece; });
	// Slow start, as TCP's: a window that was full and still brought the piece out soon is too small. Peers
	// hash several pieces at once and tell of them together; each counts.
	if (held != state->in_hand.end() && now - held->since < quick && m_was_full)
		m_window = std::min(
			in_flight_max, std::max(m_window + 1, in_flight_of_few / std::max<std::size_t>(m_directed, 1)));
	bool const was_given = held != state->in_hand.end();
	bool const was_late = was_given && held->is_late;
	take_back(*state, piece);
	if (at(piece).holders++ != 0) {
		was_passed_on(piece, peer);
		return;
	}
	if (was_given) {
		at(piece).owner = peer;
		state->owed += was_late ? 0 : 1;
		m_alone.push_back(piece);
	}
	came_out(piece);
}

void piece_spreader::is_source(peer_id peer)
{
	auto *const state = find(peer);
	if (state == nullptr)
		return;
	m_directed -= takes_part(*state) ? 1 : 0;
	state->is_source = true;
}

void piece_spreader::asked(peer_id peer, piece_index piece, monotonic_time now)
{
	auto *const state = find(peer);
	// A directed peer can only ask for what it was shown.
	if (state == nullptr || !is_valid(piece) || state->is_directed || at(piece).holders != 0)
		return;
	if (!is_in_hand(*state, piece))
		hand_out(*state, piece, now);
}

void piece_spreader::sent(peer_id peer)
{
	if (auto *const state = find(peer))
		state->silent_ticks = 0;
}

void piece_spreader::lose(piece_index piece)
{
	// As if somebody had it who stays; whoever was to get it from here does not wait for it any more.
	if (at(piece).holders++ == 0)
		came_out(piece);
	was_passed_on(piece, 0);
}

void piece_spreader::regain(piece_index piece)
{
	if (--at(piece).holders != 0)
		return;
	--m_out;
	at(piece).given_too = 0;
	wait_again(piece);
}

void piece_spreader::tick()
{
	m_rate = m_outs_ever - m_outs_at_tick;
	m_outs_at_tick = m_outs_ever;
	m_window = std::clamp(m_window, in_flight_min, std::max(in_flight_min, m_rate));
	auto const late_after = late_after_rounds * in_flight_wanted();
	for (auto &[id, peer] : m_peers) {
		peer.given_lately /= 2;
		bool const is_silent = !peer.in_hand.empty() && ++peer.silent_ticks >= silent_ticks_max;
		for (auto &held : peer.in_hand) {
			if (is_silent || m_outs_ever - held.outs_before >= late_after)
				make_late(peer, held);
		}
	}
	find_stuck();
}

std::vector<piece_spreader::gift> piece_spreader::plan(monotonic_time now)
{
	std::vector<gift> gifts;
	m_was_full = false;
	if (m_is_done || m_directed == 0)
		return gifts;
	auto const wanted = in_flight_wanted();
	auto const in_hand_max = wanted / m_directed + 1;
	while (m_in_flight < wanted) {
		piece_index piece{};
		if (next_stuck(piece)) {
			if (auto const peer = neediest(in_hand_max, piece); peer != m_peers.end()) {
				give(peer->first, piece, now, gifts);
				continue;
			}
		}
		bool const is_waiting = next_waiting(piece);
		// Nothing waits: what is on its way to a slow peer goes to another as well, as long as the uplink has
		// room.
		if (!is_waiting && (m_in_flight >= wanted / 2 || !next_twice(piece)))
			break;
		auto const peer = neediest(in_hand_max, piece);
		if (peer == m_peers.end()) {
			if (is_waiting)
				wait_again(piece);
			break;
		}
		give(peer->first, piece, now, gifts);
	}
	m_was_full = m_in_flight >= wanted;
	return gifts;
}

bool piece_spreader::give_too(peer_id peer, piece_index piece)
{
	auto const *const state = find(peer);
	if (state == nullptr || !takes_part(*state) || !is_valid(piece) || is_in_hand(*state, piece))
		return false;
	auto const &known = at(piece);
	// One that waits comes by itself.
	if (known.holders > 1 || known.holders + known.hands == 0 || known.given_too != 0)
		return false;
	auto const is_ahead_by_far = [state](auto const &entry) {
		return takes_part(entry.second) && entry.second.given_lately > 2 * state->given_lately;
	};
	if (std::any_of(m_peers.begin(), m_peers.end(), is_ahead_by_far))
		return false;
	at(piece).given_too = peer;
	return true;
}

piece_spreader::peer_state *piece_spreader::find(peer_id peer)
{
	auto const found = m_peers.find(peer);
	return found == m_peers.end() ? nullptr : &found->second;
}

bool piece_spreader::is_in_hand(peer_state const &peer, piece_index piece)
{
	return std::any_of(
		peer.in_hand.begin(), peer.in_hand.end(), [piece](given const &held) { return held.piece == piece; });
}

bool piece_spreader::is_valid(piece_index piece) const
{
	return to_int(piece) >= 0 && static_cast<std::size_t>(to_int(piece)) < m_pieces.size();
}

void piece_spreader::hand_out(peer_state &peer, piece_index piece, monotonic_time now)
{
	if (peer.in_hand.empty())
		peer.silent_ticks = 0;
	peer.in_hand.push_back({piece, m_outs_ever, now, false});
	++peer.on_time;
	++peer.owed;
	++peer.given_ever;
	++peer.given_lately;
	++at(piece).givens;
	++at(piece).hands;
	++m_in_flight;
}

void piece_spreader::make_late(peer_state &peer, given &held)
{
	if (held.is_late)
		return;
	held.is_late = true;
	--peer.on_time;
	--m_in_flight;
	if (--at(held.piece).givens == 0 && at(held.piece).holders == 0)
		wait_again(held.piece);
}

void piece_spreader::was_passed_on(piece_index piece, peer_id to)
{
	auto &state = at(piece);
	auto *const owner = find(state.owner);
	// One that had to be given again counts against who had it for good: such a peer is slow, and the next
	// ones would be stuck there, too.
	bool const is_from_here = state.is_stuck || (to != 0 && to == state.given_too);
	if (owner != nullptr && is_from_here)
		++owner->owed_for_good;
	else if (owner != nullptr)
		--owner->owed;
	state.owner = 0;
	state.is_stuck = false;
	for (auto entry = m_peers.begin(); entry != m_peers.end() && state.hands > 0; ++entry)
		take_back(entry->second, piece);
}

void piece_spreader::find_stuck()
{
	auto const stuck_after = stuck_after_rounds * std::max(in_flight_wanted(), m_directed);
	while (!m_alone.empty()) {
		auto const piece = m_alone.front();
		auto &state = at(piece);
		if (state.owner != 0 && m_outs_ever - state.out_at < stuck_after)
			return;
		m_alone.pop_front();
		// With two peers it may be the other one that does not take it.
		if (state.owner == 0 || state.is_stuck || m_directed < 3)
			continue;
		state.is_stuck = true;
		m_stuck.push_back(piece);
	}
}

void piece_spreader::came_out(piece_index piece)
{
	++m_out;
	at(piece).out_at = ++m_outs_ever;
	at(piece).is_stuck = false;
	if (m_out == m_pieces.size())
		m_is_done = true;
	// Whom it was also given to gets it from anyone now, and does not hold the uplink's place any more.
	for (auto entry = m_peers.begin(); entry != m_peers.end() && at(piece).hands > 0; ++entry)
		take_back(entry->second, piece);
}

void piece_spreader::take_back(peer_state &peer, piece_index piece)
{
	std::erase_if(peer.in_hand, [&](given const &held) {
		if (held.piece != piece)
			return false;
		--at(piece).hands;
		if (!held.is_late) {
			--peer.on_time;
			--peer.owed;
			--m_in_flight;
			--at(piece).givens;
		}
		return true;
	});
}

void piece_spreader::wait_again(piece_index piece)
{
	if (at(piece).is_queued)
		return;
	// Those that were never taken in order still wait there.
	auto const count = static_cast<std::int32_t>(m_pieces.size());
	if ((to_int(piece) - m_first + count) % count >= m_taken)
		return;
	at(piece).is_queued = true;
	m_again.push_back(piece);
}

void piece_spreader::give(peer_id peer, piece_index piece, monotonic_time now, std::vector<gift> &gifts)
{
	hand_out(*find(peer), piece, now);
	gifts.push_back({peer, piece});
}

bool piece_spreader::next_stuck(piece_index &piece)
{
	while (!m_stuck.empty()) {
		piece = m_stuck.front();
		if (at(piece).is_stuck)
			return at(piece).givens == 0;
		m_stuck.pop_front();
	}
	return false;
}

bool piece_spreader::next_waiting(piece_index &piece)
{
	while (!m_again.empty()) {
		piece = m_again.front();
		m_again.pop_front();
		at(piece).is_queued = false;
		if (at(piece).holders == 0 && at(piece).givens == 0)
			return true;
	}
	auto const count = static_cast<std::int32_t>(m_pieces.size());
	while (m_taken < count) {
		piece = piece_index((m_first + m_taken++) % count);
		if (at(piece).holders == 0 && at(piece).givens == 0)
			return true;
	}
	return false;
}

bool piece_spreader::next_twice(piece_index &piece)
{
	given const *oldest = nullptr;
	for (auto const &[id, peer] : m_peers) {
		for (auto const &held : peer.in_hand) {
			if (at(held.piece).givens == 1 && !held.is_late &&
				(oldest == nullptr || held.outs_before < oldest->outs_before))
				oldest = &held;
		}
	}
	if (oldest == nullptr)
		return false;
	piece = oldest->piece;
	return true;
}

std::size_t piece_spreader::in_flight_wanted() const
{
	return std::max(m_window, m_rate / 4);
}

std::map<piece_spreader::peer_id, piece_spreader::peer_state>::iterator piece_spreader::neediest(
	std::size_t in_hand_max, piece_index piece)
{
	auto best = m_peers.end();
	// Those that brought all they were given come first; one that lags behind gets a piece at a time.
	auto const rank = [](peer_state const &peer) {
		return std::tuple(peer.on_time != peer.in_hand.size(), peer.owed, peer.given_ever);
	};
	for (auto entry = m_peers.begin(); entry != m_peers.end(); ++entry) {
		auto const &peer = entry->second;
		bool const lags = peer.on_time != peer.in_hand.size();
		if (!takes_part(peer) || peer.on_time >= (lags ? 1 : in_hand_max) ||
			peer.pieces_had == m_pieces.size())
			continue;
		if (at(piece).owner == entry->first || is_in_hand(peer, piece))
			continue;
		if (best == m_peers.end() || rank(peer) < rank(best->second))
			best = entry;
	}
	return best;
}

} // namespace ezio
