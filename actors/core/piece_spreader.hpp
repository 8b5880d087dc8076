#pragma once

#include "actors/core/piece_set.hpp"
#include "actors/core/units.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace ezio
{

/// Decides which peer a source shows which piece, so that each piece leaves the source once before any leaves
/// it twice, unless that saves a read: the source's uplink is what a swarm that begins together waits for.
/// Peers pass the pieces on between themselves.
///
/// A piece is waiting, given to a peer, or out (a peer that is no source has it). Waiting pieces are given in
/// order, from a starting point of the source's own, to the peer that owes the fewest: pieces that it was
/// given and that no other peer has yet. So a peer that takes pieces and does not pass them on (its disk is
/// slow, or its uplink) soon gets no more of them. It only advises: pieces of peers that leave, hang or lag
/// behind are given again, also those that nobody gets from the peer that has them, and once all are out it
/// has no more to say. Not thread-safe: network thread only.
class piece_spreader
{
public:
	using peer_id = std::uint64_t;

	/// A piece that a peer may be shown now.
	struct gift {
		peer_id peer = 0;
		piece_index piece{};
		friend bool operator==(gift const &, gift const &) = default;
	};

	/// Pieces that are on their way at once, at the least: enough to keep the uplink busy, few enough that
	/// each arrives soon and can be passed on.
	static constexpr std::size_t in_flight_min = 8;
	/// Where the network is fast few peers share so many: they fill the lanes of a peer that hashes several
	/// pieces at once. Not before that is known, since others may be about to come.
	static constexpr std::size_t in_flight_of_few = 32;
	/// Where a piece comes out sooner than this after it was given, more may be on their way: the network is
	/// fast, and what limits is the round trip through the peer.
	static constexpr std::chrono::milliseconds quick{100};
	static constexpr std::size_t in_flight_max = 4096;
	/// A piece is late when this many times as many pieces as are on their way came out after it was given.
	static constexpr std::size_t late_after_rounds = 3;
	/// A piece is stuck when this many times as many pieces as are on their way, or as there are peers, came
	/// out after it did, and nobody else has it yet: a peer that passes a piece on to all others at once
	/// takes as long as they all take to bring one. One stuck piece at a time is given again.
	static constexpr std::size_t stuck_after_rounds = 4;
	/// A peer that was sent nothing for so many ticks hangs; its pieces are given again.
	static constexpr int silent_ticks_max = 5;

	/// first: where to begin; sources of one swarm should begin at different places.
	piece_spreader(std::int32_t pieces, std::int32_t first);

	/// A peer takes part. One that is not directed sees all pieces anyway; what it has and asks for counts.
	void join(peer_id peer, bool is_directed);
	/// had: the pieces that has() was told of.
	void leave(peer_id peer, piece_set const &had);
	/// The peer has a piece; once for each peer and piece.
	void has(peer_id peer, piece_index piece, monotonic_time now);
	/// The peer has all pieces and never had fewer: another source, whose pieces are not out.
	void is_source(peer_id peer);
	/// The peer asked for a block of a piece.
	void asked(peer_id peer, piece_index piece, monotonic_time now);
	/// Payload was sent to the peer.
	void sent(peer_id peer);
	/// The source cannot read the piece: nobody is shown it, and nobody waits for it to come out.
	void lose(piece_index piece);
	/// A piece that was lost can be read again.
	void regain(piece_index piece);
	/// Once a second.
	void tick();

	/// What to show to whom, from now on. To be called after any of the above.
	std::vector<gift> plan(monotonic_time now);

	/// Is every piece out? Stays true, whatever peers do then.
	bool is_done() const { return m_is_done; }
	std::size_t out_count() const { return m_out; }
	/// The source has the piece in memory for a moment longer, and would rather send it to the peer now than
	/// read it again later: true if the peer is to be shown it, too. Not if peers pass it on, so that nobody
	/// asks for it here; nor to a second one, which gets it from the first; nor to a peer that was lately
	/// given less than half as many pieces as another, since what it takes here the faster ones wait for. The
	/// one that was given it first is not taken to have passed it on.
	bool give_too(peer_id peer, piece_index piece);
	std::size_t in_flight() const { return m_in_flight; }

private:
	struct piece_state {
		std::uint32_t holders = 0; ///< peers that have it, sources apart; one more if it is lost
		std::size_t out_at = 0;    ///< pieces that had come out when it did
		peer_id owner = 0;         ///< it was given to that peer, which is the only one to have it; 0: none
		bool is_stuck = false;     ///< in m_stuck, and given again
		peer_id given_too = 0;     ///< the peer that was told that it may have it, too; 0: none
		std::uint32_t givens = 0;  ///< peers that it is on its way to and that are not late
		std::uint32_t hands = 0;   ///< peers that it is on its way to, late or not
		bool is_queued = false;    ///< in m_again
	};
	struct given {
		piece_index piece{};
		std::size_t outs_before = 0; ///< pieces that had come out when it was given
		monotonic_time since;
		bool is_late = false; ///< no longer counted as on its way
	};
	struct peer_state {
		bool is_directed = false;
		bool is_source = false;
		std::size_t pieces_had = 0;
		std::vector<given> in_hand;
		std::size_t on_time = 0; ///< of those in hand, how many are not late
		std::size_t owed =
			0; ///< pieces it was given and has not passed on, also if others had to get them elsewhere
		std::size_t owed_for_good = 0; ///< of those, others had to get them from the source
		std::uint64_t given_ever = 0;
		std::uint64_t given_lately = 0; ///< of the last second all, of each one before half as many
		int silent_ticks = 0;
	};

	peer_state *find(peer_id peer);
	/// Can it be given pieces?
	static bool takes_part(peer_state const &peer) { return peer.is_directed && !peer.is_source; }
	static bool is_in_hand(peer_state const &peer, piece_index piece);
	bool is_valid(piece_index piece) const;
	piece_state &at(piece_index piece) { return m_pieces[static_cast<std::size_t>(to_int(piece))]; }
	void hand_out(peer_state &peer, piece_index piece, monotonic_time now);
	/// Takes a piece out of a peer's hands, if it is there.
	void take_back(peer_state &peer, piece_index piece);
	void make_late(peer_state &peer, given &held);
	void came_out(piece_index piece);
	void wait_again(piece_index piece);
	/// Somebody else has it, too; @p to, if it is a peer.
	void was_passed_on(piece_index piece, peer_id to);
	void find_stuck();
	void give(peer_id peer, piece_index piece, monotonic_time now, std::vector<gift> &gifts);
	/// A piece that is stuck, unless one is on its way already.
	bool next_stuck(piece_index &piece);
	/// The next waiting piece, or one that could be on its way twice; false if there is none.
	bool next_waiting(piece_index &piece);
	bool next_twice(piece_index &piece);
	std::size_t in_flight_wanted() const;
	std::map<peer_id, peer_state>::iterator neediest(std::size_t in_hand_max, piece_index piece);

	std::vector<piece_state> m_pieces;
	std::map<peer_id, peer_state> m_peers;
	std::deque<piece_index> m_again; ///< waiting once more, before all others
	std::deque<piece_index> m_alone; ///< in the order in which they came out of one peer's hands
	std::deque<piece_index> m_stuck;
	std::int32_t m_first = 0;
	std::int32_t m_taken = 0; ///< how many were taken in order, from m_first on
	std::size_t m_out = 0;
	std::size_t m_outs_ever = 0;
	std::size_t m_outs_at_tick = 0;
	std::size_t m_window = in_flight_min;
	std::size_t m_rate = 0; ///< pieces that came out in the last second
	std::size_t m_in_flight = 0;
	bool m_was_full = false;    ///< all that may be on its way was, after the last plan
	std::size_t m_directed = 0; ///< peers that take part
	bool m_is_done = false;
};

} // namespace ezio
