#include "config/torrent_keys.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace ezio
{
namespace
{

using enum setting_type;
using enum setting_effect;

// libtorrent keeps a limit in 31 bits, and numbers of peers in 24.
constexpr std::int64_t limit_kib_max = (std::int64_t{1} << 31) / 1024 - 1;
constexpr std::int64_t peers_max = (1 << 24) - 1;

constexpr std::array<schema_row, 10> rows{{
	{.table = "torrent",
		.key = "file",
		.type = string,
		.effect = restart,
		.shape = "an absolute path",
		.help = "The torrent file. Must be given."},
	{.table = "torrent",
		.key = "target",
		.type = string,
		.effect = restart,
		.shape = "an absolute path",
		.help = "The block device or image file. Must be given."},
	{.table = "torrent",
		.key = "mode",
		.type = word,
		.effect = restart,
		.default_text = "download",
		.words = "download seed",
		.help = "seed: the target holds the data already, and is opened read-only."},
	{.table = "torrent",
		.key = "peers",
		.type = string_list,
		.effect = restart,
		.shape = "HOST:PORT",
		.help = "Peers to connect to."},
	{.table = "torrent",
		.key = "sequential",
		.type = boolean,
		.effect = restart,
		.default_text = "false",
		.help = "Whether its pieces are downloaded in order; true for all torrents if the session says so."},
	{.table = "torrent",
		.key = "max-uploads",
		.type = integer,
		.effect = restart,
		.default_text = "auto",
		.min = 1,
		.max = peers_max,
		.is_auto_allowed = true,
		.help = "Peers that it uploads to at once; auto: as many as the session may."},
	{.table = "torrent",
		.key = "max-connections",
		.type = integer,
		.effect = restart,
		.default_text = "auto",
		.min = 2,
		.max = peers_max,
		.is_auto_allowed = true,
		.help = "Its peer connections; auto: as many as the session may have."},
	{.table = "torrent",
		.key = "upload-limit",
		.type = rate,
		.effect = restart,
		.unit = "KiB/s",
		.default_text = "0",
		.max = limit_kib_max,
		.help = "Its upload rate.",
		.unset_help = "only the session's limit counts"},
	{.table = "torrent",
		.key = "download-limit",
		.type = rate,
		.effect = restart,
		.unit = "KiB/s",
		.default_text = "0",
		.max = limit_kib_max,
		.help = "Its download rate.",
		.unset_help = "only the session's limit counts"},
	{.table = "torrent",
		.key = "priority",
		.type = word,
		.effect = restart,
		.default_text = "normal",
		.words = "low normal high",
		.help = "Torrents of a higher one download first."},
}};

std::optional<int> number_or_auto(setting_value const &value)
{
	auto const *const number = std::get_if<std::int64_t>(&value);
	return number == nullptr ? std::nullopt : std::optional(static_cast<int>(*number));
}

} // namespace

std::span<schema_row const> torrent_keys()
{
	return rows;
}

schema_row const *find_torrent_key(std::string_view key)
{
	auto const *const found =
		std::find_if(rows.begin(), rows.end(), [key](schema_row const &row) { return row.key == key; });
	return found == rows.end() ? nullptr : found;
}

void assign_torrent_key(torrent_entry &entry, schema_row const &row, setting_value const &value)
{
	if (row.key == "sequential") {
		entry.is_sequential = std::get<bool>(value);
	} else if (row.key == "max-uploads") {
		entry.uploads_max = number_or_auto(value);
	} else if (row.key == "max-connections") {
		entry.connections_max = number_or_auto(value);
	} else if (row.key == "upload-limit") {
		entry.upload_limit_kib = std::get<std::int64_t>(value);
	} else if (row.key == "download-limit") {
		entry.download_limit_kib = std::get<std::int64_t>(value);
	} else if (row.key == "priority") {
		entry.priority = std::get<std::string>(value);
	}
}

} // namespace ezio
