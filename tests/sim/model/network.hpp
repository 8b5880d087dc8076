#pragma once

#include "tests/sim/model/event_queue.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace ezio::sim
{

using link_id = std::uint32_t;
using flow_id = std::uint32_t;

/// Links that carry chunks of equal size. A flow goes from its sender's link over others to its receiver's.
/// The first link serves the flows that have something to send in turn, a chunk each, as a fair queue below
/// TCP does; the others are plain FIFOs. A flow has at most a window of chunks under way, so that one that
/// waits for a slow receiver leaves its sender's link to others. No link ever carries more than its rate.
class network
{
public:
	/// @p window: in chunks, for each link of a route but the first.
	network(event_queue &events, std::uint32_t chunk_bytes, std::uint32_t window)
		: m_events(events), m_chunk_bytes(chunk_bytes), m_window(window)
	{
	}

	link_id add_link(double bytes_per_s);
	/// A route has two to four links. The first one is the first of every route that it lies on.
	flow_id add_flow(std::span<link_id const> route);

	/// Adds to what the flow has to send.
	void offer(flow_id id, std::uint32_t chunks);
	/// Takes back chunks that are not under way yet, of which there are at least so many.
	void withdraw(flow_id id, std::uint32_t chunks);
	/// The flow sends nothing more, and what is under way reaches nobody.
	void close(flow_id id);
	std::uint32_t under_way(flow_id id) const { return m_flows[id].under_way; }

	/// The link has sent its chunk. The flow whose chunk has arrived by that, if this was its last link.
	std::optional<flow_id> on_link_done(link_id id);

	std::uint64_t carried_bytes(link_id id) const { return m_links[id].carried * m_chunk_bytes; }

private:
	struct link {
		sim_time chunk_time = 0;
		std::uint64_t carried = 0;
		std::optional<flow_id> sending;
		std::deque<flow_id>
			queue; ///< of a first link: flows whose turn comes; else: one entry for each chunk
	};
	struct flow {
		std::array<link_id, 4> route{};
		std::uint8_t hops = 0;
		bool is_queued = false; ///< at its first link
		bool is_closed = false;
		std::uint32_t waiting = 0; ///< chunks that are not under way yet
		std::uint32_t under_way = 0;
	};

	void queue_at_first_link(flow_id id);
	void begin_next(link_id id);

	event_queue &m_events;
	std::uint32_t m_chunk_bytes;
	std::uint32_t m_window;
	std::vector<link> m_links;
	std::vector<flow> m_flows;
};

} // namespace ezio::sim
