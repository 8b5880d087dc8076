#pragma once

#include "actors/core/rate_ramp.hpp"
#include "actors/core/result.hpp"
#include "actors/core/torrent_session.hpp"
#include "actors/core/transfer_order.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio
{

/// What the session must be told now.
struct rate_actions {
	std::vector<session_setting> settings; ///< upload-limit and download-limit of the whole session
	std::vector<std::pair<std::string, torrent_limits>> torrents; ///< limits by info-hash
};

/// Decides how fast the session and each torrent may be at the moment: the limits that were set, a slow
/// start, and the order of the torrents. Tells only what has changed. Where no limit is set and nothing has
/// to wait, no limit is given at all. Pure; used by the session actor.
class rate_policy
{
public:
	/// What a held torrent may still receive, so that its connections stay alive.
	static constexpr std::uint64_t held_bytes_per_second = 16 * 1024;

	/// Is this setting one of those that decide here? Not those that libtorrent is told itself.
	static bool owns(session_setting const &setting);
	/// Takes a setting that is owned. errc::out_of_range.
	result<void> set(session_setting const &setting);
	/// From all torrents as they are now.
	rate_actions decide(std::vector<torrent_row> const &rows, monotonic_time now);

	/// The ceiling of a slow start in bytes a second, as of the last decision.
	std::optional<std::uint64_t> ceiling() const { return m_ceiling; }
	/// Must it wait for others, as of the last decision?
	bool is_held(std::string const &info_hash) const { return m_held.contains(info_hash); }

private:
	std::uint64_t m_up_kib = 0; ///< as configured; 0: none
	std::uint64_t m_down_kib = 0;
	ramp_plan m_plan;
	rate_ramp m_ramp;
	transfer_order m_order;

	std::optional<std::uint64_t> m_ceiling;
	std::set<std::string> m_held;
	std::uint64_t m_told_up_kib = 0;
	std::uint64_t m_told_down_kib = 0;
	std::map<std::string, torrent_limits> m_told;
};

} // namespace ezio
