#pragma once

#include "actors/core/units.hpp"

#include <cassert>
#include <set>

namespace ezio
{

/// Which reminders an actor has sent itself and not yet received. A message cannot be called back, so that a
/// later one stays on its way when something earlier comes up; it must serve what is due then, or each such
/// event would leave one reminder more for good. Not thread-safe.
class tick_schedule
{
public:
	/// Is one to be sent for @p deadline? If so it counts as on its way.
	bool add(monotonic_time deadline)
	{
		if (!m_on_their_way.empty() && *m_on_their_way.begin() <= deadline)
			return false;
		m_on_their_way.insert(deadline);
		return true;
	}
	/// One has arrived: the one that was due first.
	void arrived()
	{
		assert(!m_on_their_way.empty());
		m_on_their_way.erase(m_on_their_way.begin());
	}
	std::size_t on_their_way() const { return m_on_their_way.size(); }

private:
	std::multiset<monotonic_time> m_on_their_way;
};

} // namespace ezio
