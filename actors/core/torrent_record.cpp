#include "actors/core/torrent_record.hpp"

#include <chrono>
#include <utility>

namespace ezio
{
namespace
{

/// Rates are means over this much time: a limited transfer moves in bursts of a second.
constexpr auto rate_window = std::chrono::seconds(5);
/// Statuses come about once a second while something moves, on a busy machine every two; without one for so
/// long nothing moves.
constexpr auto silence = std::chrono::seconds(3);

} // namespace

torrent_record::torrent_record(added_torrent added, add_request const &request, std::uint64_t unix_ms)
	: m_added(std::move(added)), m_is_paused(request.is_paused), m_awaits_check(request.is_check)
{
	auto const &target = *m_added.target_storage;
	m_row.info_hash = m_added.info_hash;
	m_row.name = m_added.name;
	m_row.target = m_added.target;
	m_row.is_seed = request.is_seed;
	m_row.added_unix_ms = unix_ms;
	m_row.size_bytes = target.extents().device_bytes();
	m_row.pieces_total = static_cast<std::uint32_t>(target.pieces().piece_count());
	m_row.piece_bytes = target.pieces().piece_bytes;
	m_swarm.is_checking = true;
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
		row.progress = row.pieces_total == 0 ? 1 : static_cast<double>(m_verified_pieces) / row.pieces_total;
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
	if (!m_row.failure)
		return false;
	m_row.failure.reset();
	m_row.bad_pieces.reset();
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

result<void> torrent_record::verify_started()
{
	if (m_row.failure)
		return make_error(errc::invalid_argument, "the torrent is in error; resume it first");
	if (m_is_verifying)
		return make_error(errc::already_exists, "a verification is already running");
	if (!m_is_complete || !m_row.is_synced)
		return make_error(errc::invalid_argument, "only a complete torrent can be verified");
	m_is_verifying = true;
	m_verified_pieces = 0;
	m_bad_pieces = 0;
	m_row.is_verified = false;
	m_row.bad_pieces.reset();
	return {};
}

void torrent_record::on_piece_verified(bool is_good)
{
	++m_verified_pieces;
	if (!is_good)
		++m_bad_pieces;
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
		m_row.is_verified = m_is_complete && m_row.is_synced && !m_row.failure;
		return;
	}
	fail(make_error(errc::integrity,
		"verification: " + std::to_string(m_bad_pieces) + " of " + std::to_string(m_row.pieces_total) +
			" pieces on the device differ from the torrent"));
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
