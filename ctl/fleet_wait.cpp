#include "ctl/fleet_wait.hpp"

#include <utility>

namespace ezio::ctl
{

namespace
{

bool may_pass(error const &e)
{
	return e.code == errc::unreachable || e.code == errc::denied || e.code == errc::timed_out;
}

wait_outcome failure(error why)
{
	return {wait_verdict::failed, std::move(why)};
}

} // namespace

node_wait::node_wait(wait_condition condition, std::chrono::duration<double> grace)
	: m_condition(condition), m_grace(grace)
{
}

void node_wait::trouble(error const &why, clock::time_point time)
{
	if (!m_trouble_since)
		m_trouble_since = time;
	m_trouble = why;
	m_now = {};
}

/// A torrent that vanishes must not make the rest look like success.
std::optional<error> node_wait::removed_one(torrent_list const &list)
{
	std::set<std::string> now;
	for (auto const &torrent : list.torrents)
		now.insert(torrent.info_hash);
	for (auto const &hash : m_seen) {
		if (!now.contains(hash))
			return make_error(errc::not_found, "torrent " + hash + " was removed while waiting for it");
	}
	m_seen = std::move(now);
	return std::nullopt;
}

void node_wait::answered(torrent_list const &list, clock::time_point time)
{
	if (m_is_kept)
		return;
	auto const is_empty = list.torrents.empty();
	if (m_condition == wait_condition::gone) {
		m_trouble_since.reset();
		m_now = {is_empty ? wait_verdict::reached : wait_verdict::pending, std::nullopt};
		return;
	}
	if (auto const removed = removed_one(list)) {
		m_trouble_since.reset();
		m_now = failure(*removed);
		return;
	}
	if (is_empty && m_condition != wait_condition::idle && m_condition != wait_condition::ready)
		return trouble(make_error(errc::not_found, "there is no torrent to wait for"), time);
	m_trouble_since.reset();
	m_now = {is_empty && m_condition == wait_condition::ready ? wait_verdict::pending : wait_verdict::reached,
		std::nullopt};
	for (auto const &torrent : list.torrents) {
		auto outcome = judge(torrent, m_condition);
		if (outcome.verdict == wait_verdict::failed) {
			m_now = std::move(outcome);
			return;
		}
		if (outcome.verdict == wait_verdict::pending)
			m_now = {};
	}
	m_is_kept = m_now.verdict == wait_verdict::reached &&
		(m_condition == wait_condition::downloaded || m_condition == wait_condition::synced ||
			m_condition == wait_condition::verified);
}

void node_wait::failed(error const &why, clock::time_point time)
{
	if (m_is_kept)
		return;
	if (why.code == errc::not_found)
		return answered({}, time);
	if (may_pass(why))
		return trouble(why, time);
	m_trouble_since.reset();
	m_now = failure(why);
}

wait_outcome node_wait::outcome(clock::time_point time) const
{
	if (m_trouble_since && time - *m_trouble_since >= m_grace)
		return failure(m_trouble);
	return m_now;
}

} // namespace ezio::ctl
