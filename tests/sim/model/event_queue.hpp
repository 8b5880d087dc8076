#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ezio::sim
{

/// Nanoseconds since the roll-out began.
using sim_time = std::uint64_t;
constexpr sim_time second = 1'000'000'000;

enum class event_kind : std::uint32_t {
	link_done, ///< link a has sent its chunk
	announce,  ///< piece b of node a is hashed, and the neighbours hear of it
	join,      ///< node a connects to the source
	discover,  ///< node a looks for neighbours
	rechoke,   ///< every uploader chooses anew whom it serves
};

struct event {
	sim_time at = 0;
	std::uint64_t number = 0; ///< order of scheduling, which decides between events at one time
	event_kind kind{};
	std::uint32_t a = 0;
	std::uint32_t b = 0;
};

/// What is still to happen, earliest first.
class event_queue
{
public:
	sim_time now() const { return m_now; }
	bool is_empty() const { return m_heap.empty(); }

	void schedule(sim_time delay, event_kind kind, std::uint32_t a = 0, std::uint32_t b = 0)
	{
		m_heap.push_back({m_now + delay, m_scheduled++, kind, a, b});
		std::push_heap(m_heap.begin(), m_heap.end(), is_later);
	}
	/// Takes the earliest event and moves the clock to it. The queue is not empty.
	event next()
	{
		std::pop_heap(m_heap.begin(), m_heap.end(), is_later);
		event const e = m_heap.back();
		m_heap.pop_back();
		m_now = e.at;
		return e;
	}

private:
	static bool is_later(event const &l, event const &r)
	{
		return l.at != r.at ? l.at > r.at : l.number > r.number;
	}

	sim_time m_now = 0;
	std::uint64_t m_scheduled = 0;
	std::vector<event> m_heap;
};

} // namespace ezio::sim
