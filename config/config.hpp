#pragma once

#include "config/schema.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio
{

/// How a key of the [libtorrent] table was written.
enum class foreign_kind : std::uint8_t { boolean, integer, string, text };

/// Asks the owner of foreign keys (libtorrent's settings_pack) whether @p key may have this value. Answers
/// the canonical text; errc::unknown_key or errc::out_of_range otherwise. kind text: the value came as text
/// (`ezioctl set`) and may be any of the three. A key whose values are strings must also accept kinds boolean
/// and integer: a saved text that looks like one is written without quotes.
using foreign_key_check =
	std::function<result<std::string>(std::string_view key, std::string_view value_text, foreign_kind kind)>;

/// A [[torrent]] of the file: added when the daemon starts.
struct torrent_entry {
	enum class mode : std::uint8_t { download, seed };

	std::string file;   ///< path of the torrent file
	std::string target; ///< path of the block device or image file
	mode what = mode::download;
	std::vector<std::string> peers = {}; ///< "host:port"
	bool is_sequential = false;
	std::optional<int> uploads_max = {}; ///< empty: the session's default
	std::optional<int> connections_max = {};
	std::int64_t upload_limit_kib = 0; ///< KiB/s; 0: none of its own
	std::int64_t download_limit_kib = 0;
	std::string priority = "normal"; ///< low, normal or high

	friend bool operator==(torrent_entry const &, torrent_entry const &) = default;
};

inline constexpr std::size_t torrent_entries_max = 256;
inline constexpr std::size_t foreign_keys_max = 512;

/// One key whose value differs between two configurations. Text is canonical. Foreign keys have no row and
/// are live.
struct config_change {
	std::string table;
	std::string key;
	std::string old_text;
	std::string new_text;
	schema_row const *row = nullptr; ///< null: a key of [libtorrent]
	bool is_live = true;
};

/// Where a value comes from.
enum class value_origin : std::uint8_t { default_value, file, set };

/// The configuration: a value for every row of the schema, the [libtorrent] keys and the torrents of the
/// file. A plain value; copies are independent. Holds only values that the schema allows.
class configuration
{
public:
	/// All defaults.
	configuration();

	/// Typed access to a row's value. The key must exist and have that type ; a misspelt name
	/// stops the program, so it fails the first test that reads it.
	bool boolean(std::string_view key) const;
	std::int64_t integer(std::string_view key) const; ///< also size, rate and duration, in the row's unit
	/// Empty: auto.
	std::optional<std::int64_t> integer_or_auto(std::string_view key) const;
	std::string const &text(std::string_view key) const; ///< string and word
	std::vector<std::string> const &list(std::string_view key) const;

	setting_value const &value(schema_row const &row) const;
	value_origin origin(schema_row const &row) const;

	/// Canonical text of a key: "cache-size", "disk.cache-size", "libtorrent.NAME" or a libtorrent NAME that
	/// has been set. errc::unknown_key otherwise.
	result<std::string> get(std::string_view key) const;

	/// Sets a key (named as for get) from text; on failure nothing changes. Answers what changed (old and new
	/// may be equal). A name that is in no table goes to @p foreign; without one it is errc::unknown_key.
	/// errc::out_of_range if the value, alone or together with the others, is not allowed.
	result<config_change> set(
		std::string_view key, std::string_view text, foreign_key_check const &foreign = nullptr);

	/// For the loader: sets a row's value without comparing it with other keys; errors as judge_value.
	result<void> assign(schema_row const &row, setting_value v, value_origin from);
	void assign_foreign(std::string key, std::string canonical_value);

	std::map<std::string, std::string> const &libtorrent() const { return m_libtorrent; }
	std::vector<torrent_entry> const &torrents() const { return m_torrents; }
	void add_torrent(torrent_entry torrent) { m_torrents.push_back(std::move(torrent)); }

	/// Values that are allowed each but not together.
	struct relation_fault {
		std::string_view key;       ///< the one to report
		std::string_view other_key; ///< the one it does not go with; may be the same
		std::string message;
		std::string allowed;
	};
	std::vector<relation_fault> check_relations() const;

private:
	struct entry {
		setting_value value;
		value_origin origin = value_origin::default_value;
	};
	entry const &at(std::string_view key) const;
	result<config_change> set_foreign(
		std::string_view key, std::string_view text, foreign_key_check const &foreign);

	std::vector<entry> m_entries; ///< by row index of the schema
	std::map<std::string, std::string> m_libtorrent;
	std::vector<torrent_entry> m_torrents;
};

/// The keys that differ, in schema order, then [libtorrent] by name. A foreign key that only one side has
/// appears with an empty text on the other. Torrents are not compared: they count at start only.
std::vector<config_change> diff(configuration const &before, configuration const &after);

} // namespace ezio
