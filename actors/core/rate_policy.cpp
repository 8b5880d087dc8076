#include "actors/core/rate_policy.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace ezio
{

namespace
{

constexpr std::uint64_t kib = 1024;

constexpr auto keys = std::to_array<std::string_view>({"upload-limit", "download-limit", "slow-start",
	"slow-start-step", "slow-start-period", "slow-start-end", "torrent-order"});

result<std::uint64_t> to_number(session_setting const &setting)
{
	std::uint64_t number = 0;
	auto const &text = setting.value;
	auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
	if (code != std::errc{} || end != text.data() + text.size())
		return make_error(errc::out_of_range, setting.key + ": \"" + text + "\" is not a whole number");
	return number;
}

/// The lower of a limit (0: none) and the ceiling of a slow start.
std::uint64_t lower_kib(std::uint64_t limit_kib, std::optional<std::uint64_t> ceiling)
{
	if (!ceiling)
		return limit_kib;
	auto const ceiling_kib = std::max<std::uint64_t>(1, *ceiling / kib);
	return limit_kib == 0 ? ceiling_kib : std::min(limit_kib, ceiling_kib);
}

bool wants_data(torrent_row const &row)
{
	return row.state == torrent_state::downloading;
}

} // namespace

bool rate_policy::owns(session_setting const &setting)
{
	return !setting.is_libtorrent_key && std::ranges::find(keys, setting.key) != keys.end();
}

result<void> rate_policy::set(session_setting const &setting)
{
	if (setting.key == "torrent-order") {
		m_order.set_kind(setting.value == "small-first" ? transfer_order::kind::small_first
														: transfer_order::kind::together);
		return {};
	}
	auto const number = to_number(setting);
	if (!number)
		return number.failure();
	if (setting.key == "upload-limit")
		m_up_kib = *number;
	else if (setting.key == "download-limit")
		m_down_kib = *number;
	else if (setting.key == "slow-start")
		m_plan.start = *number * kib;
	else if (setting.key == "slow-start-step")
		m_plan.step = *number * kib;
	else if (setting.key == "slow-start-end")
		m_plan.end = *number * kib;
	else if (setting.key == "slow-start-period")
		m_plan.period = std::chrono::milliseconds(*number);
	else
		return make_error(errc::unknown_key, "no rate depends on \"" + setting.key + "\"");
	m_ramp.set_plan(m_plan);
	return {};
}

rate_actions rate_policy::decide(std::vector<torrent_row> const &rows, monotonic_time now)
{
	std::uint64_t moved = 0;
	std::vector<transfer_order::candidate> candidates;
	for (auto const &row : rows) {
		moved += row.downloaded_bytes + row.uploaded_bytes;
		candidates.push_back(
			{row.info_hash, row.priority, row.size_bytes, row.downloaded_bytes, wants_data(row)});
	}
	m_ramp.observe(now, moved);
	m_ceiling = m_ramp.ceiling(now);
	m_held = m_order.held(candidates, now);

	rate_actions actions;
	auto const tell = [&actions](char const *key, std::uint64_t limit_kib, std::uint64_t &told) {
		if (limit_kib == told)
			return;
		told = limit_kib;
		actions.settings.push_back({key, std::to_string(limit_kib), false});
	};
	tell("upload-limit", lower_kib(m_up_kib, m_ceiling), m_told_up_kib);
	tell("download-limit", lower_kib(m_down_kib, m_ceiling), m_told_down_kib);

	std::map<std::string, torrent_limits> told;
	for (auto const &row : rows) {
		auto limits = row.limits;
		if (m_held.contains(row.info_hash))
			limits.down =
				limits.down == 0 ? held_bytes_per_second : std::min(limits.down, held_bytes_per_second);
		auto const before = m_told.find(row.info_hash);
		if (limits != (before == m_told.end() ? torrent_limits{} : before->second))
			actions.torrents.emplace_back(row.info_hash, limits);
		told.emplace(row.info_hash, limits);
	}
	m_told = std::move(told);
	return actions;
}

} // namespace ezio
