#pragma once

#include "tests/sim/model/event_queue.hpp"
#include "tests/sim/model/network.hpp"
#include "tests/sim/model/picker.hpp"
#include "tests/sim/model/random.hpp"
#include "tests/sim/model/scenario.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace ezio::sim
{

/// What one roll-out came to. Times are seconds since the order to start; first, median and last are those of
/// the nodes that were neither slow nor late nor killed.
struct outcome {
	double first_s = 0;
	double median_s = 0;
	double last_s = 0;
	double efficiency = 0; ///< an image at the link's payload rate / last_s; 0 while a node is unfinished
	std::uint32_t unfinished = 0;
	double slow_last_s = 0;
	double late_last_s = 0; ///< of a late node, since its own start
	double copy_out_s = 0;  ///< when the nodes had each piece; 0: never
	double source_images = 0;
	double received_images = 0; ///< by all nodes together
	double duplicate_share = 0; ///< of what the nodes received
	double rack_in_images = 0;  ///< images that went into a rack, mean and most
	double rack_in_images_max = 0;
	double rack_out_images = 0;
	double rack_out_images_max = 0;
	std::uint64_t events = 0;
};

std::string to_json_members(outcome const &o);

/// The roll-out of a scenario, event by event. A node takes each piece from one neighbour, several at once on
/// each connection, the rarest first; when everything is asked for, an idle neighbour takes over half of a
/// piece that another one is still to send.
class swarm
{
public:
	explicit swarm(scenario const &s);
	outcome run();

private:
	static constexpr flow_id no_flow = ~flow_id{0};
	static constexpr std::uint32_t source = 0;
	static constexpr std::uint32_t least_outstanding_chunks = 2;

	static std::uint64_t bits(std::uint32_t first, std::uint32_t count)
	{
		return count == 0 ? 0 : ~std::uint64_t{0} >> (64 - count) << first;
	}

	/// Chunks of one piece as bits.
	using chunk_bits = std::uint64_t;

	/// Chunks in a row of one piece that a connection is to bring.
	struct item {
		std::uint32_t piece = 0;
		std::uint32_t at = 0;               ///< the chunk that comes next; the one after it if is_backward
		std::uint32_t left = 0;             ///< chunks still to come
		bool is_backward = false;           ///< the last chunk comes first
		flow_id twin = no_flow;             ///< brings the same from the other end
		std::uint32_t outstanding_then = 0; ///< of the connection, this item included
		sim_time asked_at = 0;

		std::uint32_t low() const { return is_backward ? at - left : at; }
		chunk_bits chunks() const { return bits(low(), left); }
		/// The @p count chunks that come last.
		chunk_bits tail(std::uint32_t count) const
		{
			return bits(is_backward ? low() : low() + left - count, count);
		}
	};
	/// One direction of a connection; the other one has the id with the last bit changed.
	struct stream {
		std::uint32_t from = 0;
		std::uint32_t to = 0;
		bool is_remote = false; ///< between racks
		bool is_choked = false;
		bool is_waiting = false; ///< for a slot
		std::uint32_t turn = 0;  ///< pieces sent since it has its slot
		std::uint32_t outstanding = 0;
		std::uint32_t limit = least_outstanding_chunks;
		std::uint64_t given = 0; ///< chunks since slots were given
		std::vector<item> items;
	};
	/// A piece that a node does not have whole.
	struct partial {
		std::uint32_t piece = 0;
		chunk_bits missing = 0;
		chunk_bits unasked = 0;
		std::vector<flow_id> flows; ///< one for each item of the piece
	};
	/// A piece on its way from a source that directs.
	struct gift {
		std::uint32_t piece = 0;
		flow_id to = no_flow;
		std::uint64_t outs_before = 0; ///< pieces that were out when it was given
		bool is_twin = false;          ///< it is on its way to two nodes
	};
	struct node {
		explicit node(std::uint32_t pieces, bool is_full)
			: open(pieces, !is_full), offered(pieces, is_full), near(pieces), copies(pieces)
		{
		}
		link_id up = 0;
		link_id down = 0;
		std::uint32_t rack = 0; ///< 0: none
		bool is_alive = false;
		bool is_dead = false;
		piece_set open;    ///< not had, and not all asked for
		piece_set offered; ///< had, and known to the neighbours
		piece_set near;    ///< offered by neighbours in the same rack
		std::vector<std::uint16_t> copies;
		std::uint32_t open_count = 0;
		std::uint32_t have_count = 0;
		std::vector<partial> partials;
		std::vector<flow_id> incoming;
		std::uint32_t slots_used = 0;
		std::deque<flow_id> waiting;
		sim_time joined_at = 0;
		std::optional<sim_time> ended_at;
		std::uint64_t received_chunks = 0;
		std::uint64_t duplicate_chunks = 0;
	};

	// swarm.cpp: what happens
	void build();
	void handle(event const &e);
	void join(std::uint32_t id);
	void deliver(flow_id id);
	void complete(std::uint32_t id, std::uint32_t piece);
	void announce(std::uint32_t id, std::uint32_t piece);
	void do_half_time();
	void die(std::uint32_t id);
	bool is_over() const;
	bool is_late(std::uint32_t id) const { return id > m_s.nodes - m_s.late; }
	bool is_slow(std::uint32_t id) const { return !is_late(id) && id > m_s.nodes - m_s.late - m_s.slow; }
	outcome sum_up() const;

	// neighbours.cpp: who is connected to whom
	void discover(std::uint32_t id);
	std::uint32_t pick_neighbour(std::uint32_t id);
	void connect(std::uint32_t a, std::uint32_t b);
	void disconnect(flow_id id);
	flow_id add_stream(std::uint32_t from, std::uint32_t to);
	std::uint32_t conns_of(std::uint32_t id) const { return id == source ? m_s.source_conns : m_s.conns; }

	// requests.cpp: what is asked of whom
	void ask(flow_id id);
	void ask_all(std::uint32_t id);
	std::optional<std::uint32_t> choose(flow_id id);
	void request(flow_id id, std::uint32_t piece, bool is_whole);
	void add_item(flow_id id, partial &p, item const &i);
	void take_over(flow_id id);
	void cut_twin(flow_id id, item const &arrived);
	std::uint32_t not_begun(flow_id id, std::size_t index) const;
	void drop_unsent(flow_id id, std::size_t index);
	bool give_back(flow_id id, std::uint32_t piece, chunk_bits lost);
	void end_item(flow_id id, std::uint32_t piece);
	void tune(flow_id id, item const &ended);
	partial *find_partial(std::uint32_t id, std::uint32_t piece);
	piece_set const *avoided(flow_id id) const;

	// spreader.cpp: what a source gives to whom, until each piece is out once
	void direct();
	void give(std::uint32_t piece, bool is_twin);
	void take_back(std::uint32_t piece, flow_id to);
	void came_out(std::uint32_t piece);

	// choker.cpp: who is served
	std::uint32_t slots_of(std::uint32_t id) const { return id == source ? m_s.source_slots : m_s.slots; }
	bool could_take(flow_id id);
	void wait_for_slot(flow_id id);
	void fill_slots(std::uint32_t id);
	void release_slot(flow_id id);
	void choke(flow_id id);
	void end_turn(flow_id id);
	void rechoke();

	scenario m_s;
	random_source m_random;
	event_queue m_events;
	network m_network;
	std::vector<node> m_nodes; ///< 0 is the source
	std::vector<stream> m_streams;
	std::vector<link_id> m_rack_up; ///< by rack, from 1
	std::vector<link_id> m_rack_down;
	bool m_is_directing = false;
	std::deque<std::uint32_t> m_not_given; ///< pieces that the source is to give to someone
	std::vector<gift> m_given;
	std::uint64_t m_outs_ever = 0;
	std::vector<std::uint32_t> m_copies; ///< living nodes that offer the piece
	std::uint32_t m_pieces_out = 0;
	sim_time m_copy_out_at = 0;
	std::uint64_t m_early_pieces = 0; ///< that nodes which are not late have
	bool m_is_half = false;
	std::uint32_t m_unfinished = 0;
	std::uint64_t m_delivered = 0;
	std::uint64_t m_delivered_at_rechoke = 0;
	std::uint64_t m_handled = 0;
};

} // namespace ezio::sim
