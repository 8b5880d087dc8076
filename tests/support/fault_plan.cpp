#include "tests/support/fault_plan.hpp"

namespace ezio::test
{

void fault_plan::at_call(std::uint64_t call, fault f)
{
	std::lock_guard const lock(m_mutex);
	m_by_call[call] = f;
}

void fault_plan::at_call_of(device_call kind, std::uint64_t call, fault f)
{
	std::lock_guard const lock(m_mutex);
	m_by_kind[{kind, call}] = f;
}

void fault_plan::always(device_call kind, fault f)
{
	std::lock_guard const lock(m_mutex);
	m_always[kind] = f;
}

void fault_plan::at_random(std::uint32_t one_in, fault f)
{
	std::lock_guard const lock(m_mutex);
	m_one_in = one_in;
	m_random_fault = f;
}

void fault_plan::switch_off()
{
	std::lock_guard const lock(m_mutex);
	m_by_call.clear();
	m_by_kind.clear();
	m_always.clear();
	m_one_in = 0;
}

std::optional<fault> fault_plan::next(device_call kind)
{
	std::unique_lock lock(m_mutex);
	++m_hanging;
	m_changed.wait(lock, [this, kind] { return !m_hangs.contains(kind); });
	--m_hanging;
	auto const call = m_calls++;
	auto const call_of_kind = m_calls_of[kind]++;
	std::optional<fault> found;
	if (auto const it = m_by_call.find(call); it != m_by_call.end())
		found = it->second;
	else if (auto const kind_it = m_by_kind.find({kind, call_of_kind}); kind_it != m_by_kind.end())
		found = kind_it->second;
	else if (auto const always_it = m_always.find(kind); always_it != m_always.end())
		found = always_it->second;
	else if (m_one_in != 0 && m_random() % m_one_in == 0)
		found = m_random_fault;
	if (found)
		++m_played;
	return found;
}

void fault_plan::hang(device_call kind)
{
	std::lock_guard const lock(m_mutex);
	m_hangs.insert(kind);
}

void fault_plan::go_on()
{
	std::lock_guard const lock(m_mutex);
	m_hangs.clear();
	m_changed.notify_all();
}

std::uint64_t fault_plan::hanging() const
{
	std::lock_guard const lock(m_mutex);
	return m_hanging;
}

std::uint64_t fault_plan::pick(std::uint64_t bound)
{
	std::lock_guard const lock(m_mutex);
	return bound == 0 ? 0 : m_random() % bound;
}

std::uint64_t fault_plan::calls() const
{
	std::lock_guard const lock(m_mutex);
	return m_calls;
}

std::uint64_t fault_plan::calls_of(device_call kind) const
{
	std::lock_guard const lock(m_mutex);
	auto const it = m_calls_of.find(kind);
	return it == m_calls_of.end() ? 0 : it->second;
}

std::uint64_t fault_plan::played() const
{
	std::lock_guard const lock(m_mutex);
	return m_played;
}

} // namespace ezio::test
