#pragma once

#include "actors/core/device_identity.hpp"
#include "actors/core/disk_job.hpp"
#include "actors/core/error.hpp"
#include "actors/core/range_list.hpp"
#include "actors/core/result.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// The life of a torrent as operators see it. finished: complete, on stable storage, not uploading; seeding:
/// the same and uploading.
enum class torrent_state : std::uint8_t {
	checking,
	downloading,
	syncing,
	finished,
	seeding,
	verifying,
	paused,
	error
};

std::string_view to_string(torrent_state state);
std::optional<torrent_state> torrent_state_from_string(std::string_view name);

/// When a torrent reached what it has reached; milliseconds since 1970.
struct torrent_times {
	std::optional<std::uint64_t> downloaded_unix_ms; ///< every piece was there
	std::optional<std::uint64_t> synced_unix_ms;     ///< and on stable storage
	std::optional<std::uint64_t> verified_unix_ms;   ///< the last verification that found nothing

	friend bool operator==(torrent_times const &, torrent_times const &) = default;
};

/// What a report files beside the row. Immutable once shared.
struct torrent_evidence {
	static constexpr std::size_t errors_max = 16;
	struct seen_error {
		std::uint64_t unix_ms = 0;
		error what;
	};
	std::string info_hash_v2; ///< 64 digits, or empty
	device_identity device;
	std::string model;              ///< of the disk, as sysfs knows it; empty if it does not
	std::string disk;               ///< name of the disk that the target is on
	std::vector<seen_error> errors; ///< the last ones, oldest first
	std::uint64_t errors_total = 0; ///< since the daemon's start
};

/// Which of several torrents downloads first.
enum class torrent_priority : std::uint8_t { low, normal, high };

std::string_view to_string(torrent_priority priority);
std::optional<torrent_priority> torrent_priority_from_string(std::string_view name);

/// Bytes of payload a second of one torrent; 0: no limit.
struct torrent_limits {
	std::uint64_t up = 0;
	std::uint64_t down = 0;

	friend bool operator==(torrent_limits const &, torrent_limits const &) = default;
};

/// What `tune` changes of a torrent; what is not named stays.
struct torrent_tuning {
	std::optional<std::uint64_t> up_limit;
	std::optional<std::uint64_t> down_limit;
	std::optional<torrent_priority> priority;
};

/// What `add` asks for.
struct add_request {
	std::string torrent;  ///< the metainfo file's bytes (at most 16 MiB)
	std::string target;   ///< path of the block device or image file
	bool is_seed = false; ///< the target already holds the data; opened read-only
	bool is_sequential = false;
	bool is_paused = false;
	bool is_check = false;             ///< hash what is on the target first and fetch only what differs
	bool is_verify = false;            ///< read the target back once it is complete and on stable storage
	std::vector<std::string> peers;    ///< "host:port", "[v6]:port"
	std::vector<std::string> trackers; ///< in addition to the torrent's own
	int uploads_max = -1;              ///< -1: the session's default
	int connections_max = -1;
	torrent_limits limits;
	torrent_priority priority = torrent_priority::normal;
	std::set<std::string> allowed_checks;

	// Of a torrent that a restart goes on with; empty for a new one.
	std::vector<bool>
		known_pieces; ///< by piece: was on stable storage; some are hashed before that is trusted
	std::optional<device_identity> known_device; ///< refused if the target is another one by now
	std::optional<std::uint64_t> added_unix_ms;
	std::string known_info_hash;
	std::string known_name;
	torrent_times known_times;
	std::optional<error> known_failure; ///< it had failed: it stays so until it is resumed
};

/// One torrent in `status`. Rates are bytes per second; sizes are bytes of payload without padding.
struct torrent_row {
	std::string info_hash; ///< 40 hexadecimal digits (v1, or the first 20 bytes of v2's)
	std::string name;
	std::string target;
	torrent_state state = torrent_state::checking;
	bool is_seed = false;     ///< added with --seed
	bool is_synced = false;   ///< complete and flushed to stable storage
	bool is_verified = false; ///< the last verify read the device itself and found every piece right
	std::uint64_t size_bytes = 0;
	std::uint64_t done_bytes = 0; ///< bytes of pieces whose hash matched and whose writes succeeded
	std::uint64_t downloaded_bytes = 0;
	std::uint64_t uploaded_bytes = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	std::uint32_t peers = 0;
	std::uint32_t seeds = 0;
	std::uint32_t pieces_total = 0;
	std::uint32_t pieces_done = 0;
	std::uint32_t piece_bytes = 0;
	std::uint32_t read_errors = 0;   ///< failed reads of the target since it was added
	std::uint64_t retries = 0;       ///< transfers from and to the target that failed and were tried again
	std::uint32_t hash_failures = 0; ///< pieces that came with a wrong hash
	double progress = 0;             ///< 0 to 1; of the check or verification while one runs
	std::optional<std::uint64_t> eta_seconds;
	std::uint64_t added_unix_ms = 0;
	std::optional<error> failure;
	std::optional<std::uint32_t> bad_pieces; ///< of the last verify
	listed_ranges bad_ranges;                ///< of the device, where those pieces lie
	listed_ranges unreadable_ranges;         ///< of the device, where reads failed
	torrent_times times;
	std::shared_ptr<torrent_evidence const> evidence;
	bool is_warming = false;                 ///< its source is being read into the cache
	std::optional<std::uint64_t> warm_bytes; ///< what the last warm-up has brought into the cache so far
	torrent_limits limits;                   ///< as the operator set them
	torrent_priority priority = torrent_priority::normal;
	bool is_held = false;                         ///< it lets torrents download that go first
	std::optional<std::uint64_t> slow_start_rate; ///< what a slow start allows the whole daemon at the moment
};

struct peer_row {
	std::string endpoint; ///< "10.0.0.7:6881"
	std::string client;
	double progress = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	std::uint64_t downloaded_bytes = 0;
	std::uint64_t uploaded_bytes = 0;
	bool is_incoming = false;
	bool is_seed = false;
	std::string source; ///< "manual", "pex", "lsd", "tracker", "dht", "incoming"
	std::string flags;  ///< i interested, I peer interested, c choked, C peer choked, s snubbed
};

/// What a session reports of its own accord, between calls.
struct session_fact {
	enum class kind : std::uint8_t {
		status,            ///< status: the torrent as the swarm sees it now
		checked,           ///< hashing what is on the target has ended
		removed,           ///< the torrent is gone from the session; its storage is released
		hash_failed,       ///< piece came with a wrong hash
		peer_connected,    ///< peer, text
		peer_disconnected, ///< peer, text
		peer_banned,       ///< peer
		tracker_error,     ///< text
		disk_error,        ///< failure; is_fatal says whether the torrent cannot go on
		torrent_error,     ///< failure: the session stopped the torrent
		listen_failed,     ///< text
		warning            ///< text
	};
	/// The swarm's view of one torrent. Totals are of payload since the torrent was added.
	struct swarm_status {
		bool is_checking = false;
		bool is_complete = false;
		bool is_paused = false;
		std::uint64_t size_bytes = 0;
		std::uint64_t done_bytes = 0;
		std::uint64_t downloaded_bytes = 0;
		std::uint64_t uploaded_bytes = 0;
		std::uint32_t peers = 0;
		std::uint32_t seeds = 0;
		std::uint32_t pieces_done = 0;
		double progress = 0;
	};

	kind what = kind::warning;
	std::string info_hash;
	std::string text;
	std::string peer;
	std::int32_t piece = -1;
	bool is_fatal = false;
	std::optional<error> failure;
	swarm_status status;
};

/// A torrent that was added, as far as it does not change any more.
struct added_torrent {
	std::string info_hash;
	std::string info_hash_v2; ///< 64 digits, or empty
	std::string name;
	std::string target;
	std::shared_ptr<storage> target_storage;
	std::vector<bool> pieces; ///< by piece: taken to be on the target
	std::string doubt;        ///< why the pieces of a kept torrent are hashed again; empty if they are not
	std::optional<device_identity> device;
	std::optional<error> identity_failure; ///< why there is no device
	std::string model;                     ///< of the disk, as sysfs knows it; empty if it does not
};

/// What a torrent file alone says.
struct torrent_outline {
	std::string info_hash;
	std::string name;
	std::uint64_t size_bytes = 0; ///< without padding
	std::uint32_t pieces = 0;
	std::uint32_t piece_bytes = 0;
};

/// A torrent on its way into the session: everything about it that may wait for a device, the file system or
/// a name server, apart from the session, which never does. What it has claimed is given back when it is
/// destroyed, unless the session has taken it.
class torrent_addition
{
public:
	virtual ~torrent_addition() = default;
	/// Any thread.
	virtual torrent_outline const &outline() const = 0;
	/// Runs the safety checks, claims the target and learns what is on it. Any thread, once; the session may
	/// be gone by then. Blocks for as long as the device does: for ever, if it hangs. Once it has returned,
	/// the addition belongs to the session's thread.
	virtual result<void> examine() = 0;
	/// Nobody waits for it any more: an examination that has not begun does not begin, one that reads ends
	/// soon. Any thread.
	void abandon() { m_is_abandoned = true; }

protected:
	bool is_abandoned() const { return m_is_abandoned; }

private:
	std::atomic<bool> m_is_abandoned{false};
};

/// One setting of the running session, validated by the configuration schema before it is sent.
struct session_setting {
	std::string key;   ///< the schema's name, or libtorrent's own for keys of that table
	std::string value; ///< canonical text; several values are separated by commas
	bool is_libtorrent_key = false;
};

/// What our actors need of a BitTorrent session. Called by one actor, on its thread; calls may wait for the
/// network thread, never for a device until close().
class torrent_session
{
public:
	virtual ~torrent_session() = default; ///< as close()

	/// @p wakeup is called from any thread when collect() has something new; it must not block.
	virtual void set_wakeup(std::function<void()> wakeup) = 0;
	/// What happened since the last call, in order. After close(): what the disk said meanwhile.
	virtual std::vector<session_fact> collect() = 0;
	/// Asks for a status fact of every torrent that changed.
	virtual void request_status() = 0;

	/// Reads the torrent and refuses what can be refused without a look at the target.
	virtual result<std::shared_ptr<torrent_addition>> begin(std::shared_ptr<add_request const> request) = 0;
	/// Adds a torrent that begin() made and whose examination went well. @p request is the one it began with
	/// but for what may change meanwhile: whether it is paused, hashed first, still failed, and its limits.
	virtual result<added_torrent> add(torrent_addition &examined, add_request const &request) = 0;
	virtual result<void> pause(std::string const &info_hash) = 0;
	virtual result<void> resume(std::string const &info_hash) = 0;
	/// Forgets which pieces are there and hashes what is on the device.
	virtual result<void> recheck(std::string const &info_hash) = 0;
	/// A removed fact follows when everything is written and closed.
	virtual result<void> remove(std::string const &info_hash) = 0;
	virtual result<void> reannounce(std::string const &info_hash) = 0;
	/// In force at once; where both were 0 before and are now, the torrent has no limiter at all.
	virtual result<void> set_limits(std::string const &info_hash, torrent_limits const &limits) = 0;
	/// Connects again to the peers that the operator named.
	virtual result<void> connect_named_peers(std::string const &info_hash) = 0;
	virtual result<std::vector<peer_row>> peers(std::string const &info_hash) = 0;
	/// By piece: its hash matched and all of its writes returned success.
	virtual result<std::vector<bool>> pieces(std::string const &info_hash) = 0;
	/// Do the digests in a finished hash_piece job match the torrent? The job must have been made by
	/// prepare_hash().
	virtual bool piece_matches(std::string const &info_hash, disk_job const &job) = 0;
	/// Asks a job for the digests that piece_matches() needs.
	virtual void prepare_hash(std::string const &info_hash, disk_job &job) = 0;

	virtual result<void> apply(session_setting const &setting) = 0;
	/// Port of the first listening socket; 0 while there is none.
	virtual std::uint16_t listen_port() = 0;

	/// Ends the session: outstanding jobs come back, dirty data is written. Blocks until it is gone.
	/// Idempotent.
	virtual void close() = 0;
};

} // namespace ezio
