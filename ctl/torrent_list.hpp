#pragma once

#include "actors/core/error.hpp"
#include "actors/core/result.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio::ctl
{

/// One torrent of a `status` reply.
struct torrent_view {
	std::string info_hash;
	std::string name;
	std::string target;
	std::string state;
	bool is_seed = false;
	bool is_synced = false;
	bool is_verified = false;
	std::uint64_t size_bytes = 0;
	std::uint64_t done_bytes = 0;
	std::uint64_t downloaded_bytes = 0;
	std::uint64_t uploaded_bytes = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	std::uint64_t peers = 0;
	std::uint64_t seeds = 0;
	std::uint64_t pieces_total = 0;
	std::uint64_t pieces_done = 0;
	std::uint64_t piece_bytes = 0;
	std::uint64_t hash_failures = 0;
	std::uint64_t read_errors = 0;
	std::uint64_t retries = 0;
	double progress = 0;
	std::optional<std::uint64_t> eta_seconds;
	std::uint64_t added_unix_ms = 0;
	std::optional<error> failure;
	std::optional<std::uint64_t> bad_pieces;
	/// Stretches of the device that differ (of the last verify) and whose reading failed; the rest is
	/// counted.
	struct stretches {
		std::vector<std::pair<std::uint64_t, std::uint64_t>> listed; ///< offset and length, in bytes
		std::uint64_t more = 0;
	};
	stretches bad;
	stretches unreadable;
	bool is_warming = false;
	std::optional<std::uint64_t> warm_bytes;
	std::uint64_t upload_limit = 0; ///< bytes a second; 0: none
	std::uint64_t download_limit = 0;
	std::string priority;                         ///< empty: the daemon knows of none
	bool is_held = false;                         ///< it lets others download first
	std::optional<std::uint64_t> slow_start_rate; ///< of the whole daemon

	bool is_complete() const { return pieces_total > 0 && pieces_done == pieces_total; }
	/// Every byte is right and on stable storage.
	bool is_finished() const { return (state == "finished" || state == "seeding") && is_synced; }
};

/// The torrents of a `status` reply, and each one's own JSON in @p raw order. errc::protocol if it is none.
struct torrent_list {
	std::vector<torrent_view> torrents;
	std::vector<nlohmann::json> raw; ///< raw[i] is what torrents[i] was read from
};
result<torrent_list> read_torrents(nlohmann::json const &status_reply);

enum class sort_key : std::uint8_t { name, path, progress, speed, down, up, peers, size, eta, state, added };
std::optional<sort_key> sort_key_from_string(std::string_view name);
std::string_view to_string(sort_key key);
/// The key behind @p key in the list of all, round and round, or the one before it.
sort_key next_sort_key(sort_key key, bool is_backwards);
/// "name, path, ..." for messages and help.
std::string sort_key_names();

/// Order of indices into @p torrents: numbers from the largest, text from A; reversed on request. Torrents
/// without an eta are last either way. Equal ones are ordered by name, target, info-hash.
std::vector<std::size_t> sorted(std::vector<torrent_view> const &torrents, sort_key key, bool is_reversed);

/// The words of --filter that are groups: all, active, ...
std::span<std::string_view const> filter_groups();

/// ASCII letters in lower case: case of others depends on a locale that a rescue system does not have.
std::string lower_case(std::string_view text);

/// What --filter selects: a torrent that is in any of the named groups (if one is named) and whose name or
/// target contains any of the other words (if there is one), whatever their case.
class torrent_filter
{
public:
	/// A comma list: all, active, downloading, seeding, finished, checking, paused, error, or text.
	static torrent_filter parse(std::string_view words);
	bool accepts(torrent_view const &torrent) const;

private:
	std::vector<std::string> m_groups;
	std::vector<std::string> m_texts; ///< in lower case
};

} // namespace ezio::ctl
