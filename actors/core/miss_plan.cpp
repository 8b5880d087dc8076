#include "actors/core/miss_plan.hpp"

#include <algorithm>
#include <tuple>

namespace ezio
{
namespace
{

bool is_same_piece(disk_job const &a, disk_job const &b)
{
	return a.piece == b.piece && a.target->id() == b.target->id();
}

} // namespace

bool miss_plan::covers(disk_job const &job, std::uint32_t index) const
{
	return std::any_of(m_stretches.begin(), m_stretches.end(), [&](stretch const &one) {
		return index >= one.first && index - one.first < one.count && is_same_piece(*one.job, job);
	});
}

void miss_plan::add(disk_job const &job, std::uint32_t first, std::uint32_t count)
{
	m_stretches.push_back({&job, first, count});
}

std::span<miss_plan::stretch const> miss_plan::merge()
{
	auto const place = [](stretch const &one) {
		return std::tuple(to_int(one.job->target->id()), to_int(one.job->piece), one.first);
	};
	std::sort(m_stretches.begin(), m_stretches.end(),
		[&](stretch const &a, stretch const &b) { return place(a) < place(b); });
	std::size_t merged = 0;
	for (auto const &next : m_stretches) {
		if (merged > 0) {
			auto &last = m_stretches[merged - 1];
			if (is_same_piece(*last.job, *next.job) && next.first <= last.first + last.count) {
				last.count = std::max(last.count, next.first + next.count - last.first);
				continue;
			}
		}
		m_stretches[merged++] = next;
	}
	m_stretches.resize(merged);
	return m_stretches;
}

} // namespace ezio
