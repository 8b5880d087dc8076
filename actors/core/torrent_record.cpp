#include "actors/core/torrent_record.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ezio
{
namespace
{

/// Rates are means over this much time: a limited transfer moves in bursts of a second.
constexpr auto rate_window = std::chrono::seconds(5);
/// How many of the stretches that differ an error names; status lists more.
constexpr std::size_t named_ranges = 4;
/// Statuses come about once a second while something moves, on a busy machine every two; without one for so
/// long nothing moves.
constexpr auto silence = std::chrono::seconds(3);

} // namespace

torrent_record::torrent_record(
	added_torrent added, add_request const &request, std::uint64_t unix_ms, torrent_evidence evidence)
	: m_added(std::move(added)), m_is_paused(request.is_paused), m_awaits_check(request.is_check),
	  m_evidence(std::move(evidence))
{
	m_evidence.info_hash_v2 = m_added.info_hash_v2;
	m_row.evidence = std::make_shared<torrent_evidence const>(m_evidence);
	if (!request.is_check)
		m_row.times = request.known_times;
	m_row.failure = request.known_failure;
	auto const &target = *m_added.target_storage;
	m_row.info_hash = m_added.info_hash;
	m_row.name = m_added.name;
	m_row.target = m_added.target;
	m_row.is_seed = request.is_seed;
	m_row.limits = request.limits;
	m_row.priority = request.priority;
	m_row.added_unix_ms = unix_ms;
	m_row.size_bytes = target.extents().device_bytes();
	m_row.pieces_total = static_cast<std::uint32_t>(target.pieces().piece_count());
	m_row.piece_bytes = target.pieces().piece_bytes;
	m_swarm.is_checking = true;
}

void torrent_record::tune(torrent_tuning const &tuning)
{
	m_row.limits.up = tuning.up_limit.value_or(m_row.limits.up);
	m_row.limits.down = tuning.down_limit.value_or(m_row.limits.down);
	m_row.priority = tuning.priority.value_or(m_row.priority);
}

torrent_state torrent_record::state() const
{
	if (m_row.failure)
		return torrent_state::error;
	// A verification reads the device also while transfers are paused.
	if (m_is_verifying)
		return torrent_state::verifying;
	if (m_is_paused)
		return m_is_complete && m_row.is_synced ? torrent_state::finished : torrent_state::paused;
	if (m_is_complete)
		return m_row.is_synced ? torrent_state::seeding : torrent_state::syncing;
	if (m_awaits_check || m_swarm.is_checking)
		return torrent_state::checking;
	return torrent_state::downloading;
}

torrent_row torrent_record::row() const
{
	auto row = m_row;
	row.state = state();
	row.peers = m_swarm.peers;
	row.seeds = m_swarm.seeds;
	if (m_is_paused || row.failure) {
		// The last seconds count no longer: nothing moves now.
		row.down_rate = 0;
		row.up_rate = 0;
	}
	row.downloaded_bytes = m_swarm.downloaded_bytes;
	row.uploaded_bytes = m_swarm.uploaded_bytes;
	row.done_bytes = m_is_complete ? row.size_bytes : m_swarm.done_bytes;
	row.pieces_done = m_is_complete ? row.pieces_total : m_swarm.pieces_done;
	if (row.state == torrent_state::verifying)
		row.progress = m_verify_total == 0 ? 1 : static_cast<double>(m_verified_pieces) / m_verify_total;
	else if (row.state == torrent_state::checking)
		row.progress = m_swarm.is_checking ? m_swarm.progress : 0;
	else
		row.progress = row.size_bytes == 0
			? 1
			: static_cast<double>(row.done_bytes) / static_cast<double>(row.size_bytes);
	if (row.state == torrent_state::downloading && row.down_rate > 0)
		row.eta_seconds = (row.size_bytes - row.done_bytes + row.down_rate - 1) / row.down_rate;
	return row;
}

void torrent_record::on_status(session_fact::swarm_status const &status)
{
	m_swarm = status;
	m_has_status = true;
	m_is_status_fresh = true;
	if (m_awaits_check) {
		// Until the check has ended, "complete" can only be from before it was asked for.
		m_swarm.is_complete = false;
		return;
	}
	if (status.is_complete)
		on_complete();
	else if (m_row.is_seed && !m_row.failure)
		on_incomplete_seed(status);
}

void torrent_record::on_incomplete_seed(session_fact::swarm_status const &status)
{
	// It was taken to be whole until a piece that was read for a peer did not match; what is there is being
	// hashed, or has been. A check can be over before any status tells of it.
	m_is_complete = false;
	m_row.is_synced = false;
	m_row.is_verified = false;
	if (status.is_checking)
		return;
	auto failure = make_error(errc::integrity,
		"the source does not match the torrent: " + std::to_string(m_row.pieces_total - status.pieces_done) +
			" of " + std::to_string(m_row.pieces_total) + " pieces differ");
	failure.device = m_row.target;
	fail(std::move(failure));
}

void torrent_record::on_complete()
{
	if (m_awaits_check || m_row.failure)
		return;
	m_is_complete = true;
	// Nothing was written to a source.
	if (m_row.is_seed)
		m_row.is_synced = true;
}

void torrent_record::on_checked()
{
	m_awaits_check = false;
}

void torrent_record::on_read_error(error const &failure)
{
	++m_row.read_errors;
	if (failure.offset_bytes && failure.length_bytes)
		m_unreadable.add({*failure.offset_bytes, *failure.length_bytes});
	m_row.unreadable_ranges = m_unreadable.listed();
}

void torrent_record::note_error(error const &failure, std::uint64_t unix_ms)
{
	auto &errors = m_evidence.errors;
	if (!errors.empty() && errors.back().what == failure)
		return;
	if (errors.size() == torrent_evidence::errors_max)
		errors.erase(errors.begin());
	errors.push_back({unix_ms, failure});
	++m_evidence.errors_total;
	m_row.evidence = std::make_shared<torrent_evidence const>(m_evidence);
}

bool torrent_record::note_times(std::uint64_t unix_ms)
{
	auto const before = m_row.times;
	auto &times = m_row.times;
	if (m_row.failure) {
		times = {};
	} else {
		if (m_is_complete && !times.downloaded_unix_ms)
			times.downloaded_unix_ms = unix_ms;
		if (m_row.is_synced && !times.synced_unix_ms)
			times.synced_unix_ms = unix_ms;
		if (m_row.is_verified && !times.verified_unix_ms)
			times.verified_unix_ms = unix_ms;
	}
	return times != before;
}

bool torrent_record::fail(error failure)
{
	if (m_row.failure)
		return false;
	m_row.failure = std::move(failure);
	m_row.is_synced = false;
	m_row.is_verified = false;
	m_is_complete = false;
	return true;
}

bool torrent_record::resume()
{
	m_is_paused = false;
	m_unreadable.clear();
	m_row.unreadable_ranges = {};
	if (!m_row.failure)
		return false;
	m_row.failure.reset();
	m_row.bad_pieces.reset();
	m_row.bad_ranges = {};
	m_row.is_synced = false;
	m_row.is_verified = false;
	m_is_complete = false;
	m_awaits_check = true;
	return true;
}

bool torrent_record::wants_sync() const
{
	return m_is_complete && !m_row.is_synced && !m_is_syncing && !m_row.failure;
}

void torrent_record::sync_ended(std::optional<error> const &failure)
{
	m_is_syncing = false;
	if (failure) {
		fail(*failure);
		return;
	}
	// A failure or a re-check that came meanwhile has the last word.
	if (m_is_complete && !m_row.failure)
		m_row.is_synced = true;
}

result<void> torrent_record::verify_started(std::vector<bool> const &there)
{
	if (m_row.failure)
		return make_error(errc::invalid_argument, "the torrent is in error; resume it first");
	if (m_is_verifying)
		return make_error(errc::already_exists, "a verification is already running");
	if (!m_is_complete && (m_awaits_check || m_swarm.is_checking))
		return make_error(errc::invalid_argument, "what is on the target is being hashed already");
	m_to_verify = m_is_complete ? std::vector<bool>(m_row.pieces_total, true) : there;
	m_to_verify.resize(m_row.pieces_total);
	m_verify_total = static_cast<std::uint32_t>(std::count(m_to_verify.begin(), m_to_verify.end(), true));
	if (m_verify_total == 0 && m_row.pieces_total != 0)
		return make_error(errc::invalid_argument, "no piece is there yet that could be verified");
	m_is_verifying = true;
	m_verified_pieces = 0;
	m_bad_pieces = 0;
	m_is_bad.assign(m_row.pieces_total, false);
	m_row.is_verified = false;
	m_row.times.verified_unix_ms.reset();
	m_row.bad_pieces.reset();
	m_row.bad_ranges = {};
	return {};
}

void torrent_record::on_piece_verified(piece_index piece, bool is_good)
{
	++m_verified_pieces;
	if (is_good)
		return;
	++m_bad_pieces;
	m_is_bad[static_cast<std::size_t>(to_int(piece))] = true;
}

/// In the order of the pieces, so that neighbours become one. A piece that lies in several extents is several
/// stretches: which of them differs its hash does not say.
listed_ranges torrent_record::ranges_of_bad_pieces() const
{
	range_list list;
	auto const &target = *m_added.target_storage;
	for (std::size_t i = 0; i < m_is_bad.size(); ++i) {
		if (!m_is_bad[i])
			continue;
		auto const piece = piece_index{static_cast<std::int32_t>(i)};
		byte_range const payload{target.pieces().piece_offset(piece), target.pieces().piece_size(piece)};
		target.extents().for_each_segment(payload, [&list](extent_segment const &segment) {
			if (!segment.is_pad)
				list.add({segment.device_offset_bytes, segment.length_bytes});
		});
	}
	return list.listed();
}

void torrent_record::verify_ended(std::optional<error> const &failure)
{
	m_is_verifying = false;
	if (failure) {
		fail(*failure);
		return;
	}
	m_row.bad_pieces = m_bad_pieces;
	if (m_bad_pieces == 0) {
		// What came in while a part was read was not.
		m_row.is_verified =
			m_is_complete && m_row.is_synced && !m_row.failure && m_verify_total == m_row.pieces_total;
		return;
	}
	m_row.bad_ranges = ranges_of_bad_pieces();
	auto difference = make_error(errc::integrity,
		"verification: " + std::to_string(m_bad_pieces) + " of " + std::to_string(m_verify_total) +
			" pieces on the device differ from the torrent: " + to_string(m_row.bad_ranges, named_ranges));
	difference.device = m_row.target;
	fail(std::move(difference));
}

result<void> torrent_record::warm_started()
{
	if (m_row.failure)
		return make_error(errc::invalid_argument, "the torrent is in error; resume it first");
	if (m_row.is_warming)
		return make_error(errc::already_exists, "a warm-up is already running");
	if (!may_warm())
		return make_error(
			errc::invalid_argument, "only a torrent that is complete and not paused has a use for it");
	m_row.is_warming = true;
	m_row.warm_bytes = 0;
	return {};
}

bool torrent_record::may_warm() const
{
	return m_is_complete && m_row.is_synced && !m_is_paused && !m_row.failure;
}

void torrent_record::sample_rates(monotonic_time now)
{
	// Between two statuses the counters stand still although bytes move.
	if (!m_is_status_fresh && now - m_status_time <= silence)
		return;
	if (m_is_status_fresh)
		m_status_time = now;
	m_is_status_fresh = false;
	m_samples.push_back({now, m_swarm.downloaded_bytes, m_swarm.uploaded_bytes});
	while (m_samples.size() > 2 && now - m_samples.front().when > rate_window)
		m_samples.pop_front();
	auto const &first = m_samples.front();
	auto const seconds = std::chrono::duration<double>(now - first.when).count();
	if (seconds <= 0)
		return;
	auto const rate = [seconds](std::uint64_t from, std::uint64_t to) {
		return to > from ? static_cast<std::uint64_t>(static_cast<double>(to - from) / seconds) : 0;
	};
	m_row.down_rate = rate(first.down_bytes, m_swarm.downloaded_bytes);
	m_row.up_rate = rate(first.up_bytes, m_swarm.uploaded_bytes);
}

bool torrent_record::wants_peers() const
{
	return m_has_status && !m_is_complete && !m_is_paused && !m_row.failure && !m_awaits_check &&
		!m_swarm.is_checking && m_swarm.peers == 0;
}

} // namespace ezio
