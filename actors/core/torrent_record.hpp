#pragma once

#include "actors/core/torrent_session.hpp"
#include "actors/core/units.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace ezio
{

/// What the daemon knows and decides of one torrent: turns the facts of the session and the answers of the
/// partitions into the state that operators see. Pure: no clock, no actor. Used by the session actor alone.
///
/// "Synced" is the promise: every piece hash matched, every write returned success, and the device was
/// flushed afterwards. It is reached in one way only, through sync_started() and a sync_ended() without
/// failure, and is lost with any failure and any re-check.
class torrent_record
{
public:
	/// @p evidence: who the torrent and its device are.
	torrent_record(added_torrent added, add_request const &request, std::uint64_t unix_ms,
		torrent_evidence evidence = {});

	torrent_state state() const;
	torrent_row row() const;
	added_torrent const &added() const { return m_added; }
	std::optional<error> const &failure() const { return m_row.failure; }
	bool is_paused() const { return m_is_paused; }

	void tune(torrent_tuning const &tuning);
	void on_status(session_fact::swarm_status const &status);
	/// Every piece has passed its hash.
	void on_complete();
	/// Records when it was reached, if it has been since the last call; true if something was.
	bool note_times(std::uint64_t unix_ms);
	/// Hashing what is on the target has ended.
	void on_checked();
	void on_hash_failed() { ++m_row.hash_failures; }
	void on_read_error(error const &failure);
	/// For the report. The same error twice in a row, as it is told of by several, counts once.
	void note_error(error const &failure, std::uint64_t unix_ms);
	void on_retries(std::uint64_t in_all) { m_row.retries = in_all; }
	/// The torrent cannot go on. The first failure stays; true if this is it.
	bool fail(error failure);
	void pause() { m_is_paused = true; }
	/// The operator lets it go on. True if it had failed or was found damaged: then what is on the device
	/// must be hashed again, and the record waits for that.
	bool resume();

	/// Complete, and not yet on stable storage: a sync of every partition is due.
	bool wants_sync() const;
	void sync_started() { m_is_syncing = true; }
	/// All partitions have answered; @p failure is the first one.
	void sync_ended(std::optional<error> const &failure);

	/// Every piece has passed its hash since the last failure or re-check.
	bool is_complete() const { return m_is_complete; }
	/// Verification reads pieces from the device: all of a complete torrent, otherwise those of @p there (by
	/// piece) that have passed their hash and were written. Refused while they are hashed anyway, and if
	/// there are none. What it finds is an error of the torrent, complete or not.
	result<void> verify_started(std::vector<bool> const &there);
	/// Of the verification that runs.
	bool is_to_verify(piece_index piece) const
	{
		return m_to_verify[static_cast<std::size_t>(to_int(piece))];
	}
	void on_piece_verified(piece_index piece, bool is_good);
	bool is_verifying() const { return m_is_verifying; }
	/// All pieces are verified, or @p failure ended it.
	void verify_ended(std::optional<error> const &failure);
	/// Bad pieces found by the verification so far.
	std::uint32_t bad_pieces() const { return m_bad_pieces; }
	/// Pieces that the last verification had to read.
	std::uint32_t verify_total() const { return m_verify_total; }

	/// A warm-up reads the source into the cache for those who will ask. Refused unless seeding.
	result<void> warm_started();
	/// It may go on: the torrent seeds still.
	bool may_warm() const;
	void on_warmed(std::uint64_t cached_bytes) { m_row.warm_bytes = cached_bytes; }
	void warm_ended() { m_row.is_warming = false; }

	/// Recomputes rates over the last seconds; call it with every status and about twice a second.
	void sample_rates(monotonic_time now);
	/// No peer is connected although there is something to fetch.
	bool wants_peers() const;

private:
	void on_incomplete_seed(session_fact::swarm_status const &status);
	listed_ranges ranges_of_bad_pieces() const;

	struct sample {
		monotonic_time when{};
		std::uint64_t down_bytes = 0;
		std::uint64_t up_bytes = 0;
	};

	added_torrent m_added;
	torrent_row m_row;
	session_fact::swarm_status m_swarm;
	bool m_is_paused = false;
	bool m_has_status = false;      ///< at least one status has come
	bool m_is_status_fresh = false; ///< the last status is not among the samples yet
	monotonic_time m_status_time{};
	bool m_is_complete = false;
	bool m_awaits_check = false; ///< a re-check was asked for: what came before it does not count
	bool m_is_syncing = false;
	bool m_is_verifying = false;
	std::vector<bool> m_to_verify; ///< by piece, of the verification that runs
	std::uint32_t m_verify_total = 0;
	std::uint32_t m_verified_pieces = 0;
	std::uint32_t m_bad_pieces = 0;
	std::vector<bool> m_is_bad; ///< by piece, of the verification that runs
	range_list m_unreadable;
	torrent_evidence m_evidence;
	std::deque<sample> m_samples;
};

} // namespace ezio
