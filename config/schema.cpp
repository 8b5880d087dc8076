#include "config/schema.hpp"

#include "config/text_checks.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>

namespace ezio
{
namespace
{

using enum setting_type;
using enum setting_effect;

constexpr std::string_view level_words = "trace debug info warning error critical off";
constexpr std::array<std::string_view, 7> level_names{
	"trace", "debug", "info", "warning", "error", "critical", "off"};
constexpr std::array<std::string_view, 8> component_names{
	"daemon", "control", "session", "disk", "hash", "events", "stats", "supervisor"};

constexpr std::string_view endpoint_shape =
	"ipc:///PATH or tcp://ADDRESS:PORT; beyond 127.0.0.1 and [::1] only with curve-secret-key";

// libtorrent keeps rates as a 32-bit number of bytes per second.
constexpr std::int64_t rate_kib_max = (std::int64_t{1} << 31) / 1024 - 1;

constexpr auto rows = std::to_array<schema_row>({
	{.table = "control",
		.key = "endpoint",
		.type = string,
		.effect = restart,
		.default_text = "ipc:///run/ezio/control.sock",
		.shape = endpoint_shape,
		.check = check_zmq_endpoint,
		.help = "Where ezioctl reaches the daemon."},
	{.table = "control",
		.key = "events-endpoint",
		.type = string,
		.effect = restart,
		.default_text = "ipc:///run/ezio/events.sock",
		.shape = endpoint_shape,
		.check = check_zmq_endpoint,
		.help = "Where the daemon publishes its events."},
	{.table = "control",
		.key = "socket-mode",
		.type = string,
		.effect = restart,
		.default_text = "0660",
		.shape = "octal digits from 0000 to 0777",
		.check = check_file_mode,
		.help = "Permissions of the ipc sockets: who may write there controls the daemon."},
	{.table = "control",
		.key = "socket-group",
		.type = string,
		.effect = restart,
		.shape = "the name or number of a group",
		.check = check_group,
		.help = "Group of the ipc sockets.",
		.unset_help = "the daemon's own group"},
	{.table = "control",
		.key = "curve-secret-key",
		.type = string,
		.effect = restart,
		.shape = "the absolute path of a file",
		.check = check_path_or_empty,
		.help =
			"The daemon's secret key, made by ezioctl keygen: tcp is then encrypted, and open to the clients "
			"of authorized-keys only. ipc sockets stay as they are.",
		.unset_help = "no keys, and no tcp beyond this machine"},
	{.table = "control",
		.key = "authorized-keys",
		.type = string,
		.effect = restart,
		.shape = "the absolute path of a file",
		.check = check_path_or_empty,
		.help = "Public keys of the clients let in over tcp, one on a line: KEY ROLE NAME, the role being "
				"full or "
				"read-only. SIGHUP and ezioctl reload read the file again.",
		.unset_help = "needed with curve-secret-key"},

	{.table = "state",
		.key = "directory",
		.type = string,
		.effect = restart,
		.default_text = "auto",
		.shape = "an absolute path, auto or none",
		.check = check_state_directory,
		.help = "Where torrents and what is known of their targets are kept, so that a restart goes on with "
				"them; auto: systemd's StateDirectory or /var/lib/ezio; none: nothing is kept."},

	{.table = "log",
		.key = "level",
		.type = word,
		.effect = live,
		.default_text = "info",
		.words = level_words,
		.help = "Least severe messages that are logged."},
	{.table = "log",
		.key = "levels",
		.type = string_list,
		.effect = live,
		.shape =
			"COMPONENT=LEVEL; components: daemon, control, session, disk, hash, events, stats, supervisor",
		.check = check_component_level,
		.help = "Levels of single components, in place of level.",
		.unset_help = "level counts for all"},
	{.table = "log",
		.key = "format",
		.type = word,
		.effect = restart,
		.default_text = "text",
		.words = "text json",
		.help = "Lines for people, or one JSON object per line."},
	{.table = "log",
		.key = "file",
		.type = string,
		.effect = restart,
		.shape = "an absolute path",
		.check = check_path_or_empty,
		.help = "File that the log is appended to.",
		.unset_help = "standard error"},

	{.table = "disk",
		.key = "cache-size",
		.type = size,
		.effect = live,
		.unit = "MiB",
		.default_text = "512",
		.min = 64,
		.max = 1048576,
		.help = "The one memory budget for cache and all buffers."},
	{.table = "disk",
		.key = "dirty-limit",
		.type = size,
		.effect = live,
		.unit = "MiB",
		.default_text = "auto",
		.min = 16,
		.max = 1048576,
		.is_auto_allowed = true,
		.help = "Received data not yet on the devices, which share it, above which receiving pauses; a slow "
				"device pauses earlier; at most cache-size."},
	{.table = "disk",
		.key = "aio-threads",
		.type = integer,
		.effect = live,
		.default_text = "auto",
		.min = 1,
		.max = 64,
		.is_auto_allowed = true,
		.help = "Disk partitions: threads that read and write, for each device; auto goes by the device, "
				"cores and cache-size as they are when the device comes."},
	{.table = "disk",
		.key = "direct-io",
		.type = word,
		.effect = restart,
		.default_text = "auto",
		.words = "auto on off",
		.help = "Whether devices are used around the page cache; auto: block devices are, files are not."},
	{.table = "disk",
		.key = "io-engine",
		.type = word,
		.effect = live,
		.default_text = "auto",
		.words = "auto threads uring",
		.help =
			"How devices are read and written: threads waits for each transfer, uring has many under way by "
			"io_uring; auto: uring with direct I/O, threads otherwise. Where the system refuses io_uring all "
			"are threads. A change is for devices opened from then on, as when a torrent is added or "
			"resumed."},
	{.table = "disk",
		.key = "coalesce-size",
		.type = size,
		.effect = live,
		.unit = "KiB",
		.default_text = "1024",
		.min = 0,
		.max = 16384,
		.help = "A contiguous run of received data this long is written at once.",
		.unset_help = "every block is written by itself"},
	{.table = "disk",
		.key = "coalesce-delay",
		.type = duration,
		.effect = live,
		.unit = "ms",
		.default_text = "150",
		.min = 1,
		.max = 10000,
		.help = "Received data waits at most this long for its neighbours before it is written."},
	{.table = "disk",
		.key = "prefetch",
		.type = size,
		.effect = live,
		.unit = "KiB",
		.default_text = "1024",
		.min = 0,
		.max = 16384,
		.help =
			"How far at most a read of uncached data reads ahead within its piece: so far when it goes on "
			"where reading left off or several peers want the piece, a quarter at its start, else not.",
		.unset_help = "no reading ahead"},
	{.table = "disk",
		.key = "sync-interval",
		.type = duration,
		.effect = live,
		.unit = "s",
		.default_text = "30",
		.min = 0,
		.max = 86400,
		.help = "How often what a download has received is flushed to stable storage and remembered for a "
				"restart.",
		.unset_help = "time does not count"},
	{.table = "disk",
		.key = "sync-size",
		.type = size,
		.effect = live,
		.unit = "MiB",
		.default_text = "1024",
		.min = 0,
		.max = 1048576,
		.help = "The same after so much was received.",
		.unset_help = "size does not count"},
	{.table = "disk",
		.key = "retry-limit",
		.type = integer,
		.effect = live,
		.default_text = "4",
		.min = 0,
		.max = 20,
		.help = "How often a read or a write that failed is tried again, if it failed with what can pass: "
				"EIO, EAGAIN, EBUSY, ENOMEM, ENOBUFS, ETIMEDOUT or ENOLINK. A failed flush never is.",
		.unset_help = "every failure is final"},
	{.table = "disk",
		.key = "retry-delay",
		.type = duration,
		.effect = live,
		.unit = "ms",
		.default_text = "100",
		.min = 1,
		.max = 10000,
		.help = "How long the first of these attempts waits; each further one waits twice as long, 10 s at "
				"most. The device's other torrents wait as well."},
	{.table = "disk",
		.key = "verify-rate",
		.type = rate,
		.effect = live,
		.unit = "KiB/s",
		.default_text = "0",
		.min = 0,
		.max = std::int64_t{1} << 30,
		.help = "How fast all verifications together read, so that one does not slow down transfers.",
		.unset_help = "as fast as devices and hashers can"},

	{.table = "hash",
		.key = "hashing-threads",
		.type = integer,
		.effect = live,
		.default_text = "auto",
		.min = 0,
		.max = 64,
		.is_auto_allowed = true,
		.help = "Threads that hash pieces.",
		.unset_help = "the disk partitions hash by themselves"},
	{.table = "hash",
		.key = "hashing-simd",
		.type = word,
		.effect = restart,
		.default_text = "auto",
		.words = "auto openssl sha-ni avx2 avx512",
		.help = "Instructions to hash by; auto: whatever is measured to be fastest at start."},
	{.table = "hash",
		.key = "collect-delay",
		.type = integer,
		.effect = live,
		.unit = "ms",
		.default_text = "20",
		.min = 0,
		.max = 1000,
		.help =
			"How long a piece may wait for others to be hashed beside it. It waits only while pieces come "
			"fast enough to be worth it.",
		.unset_help = "every piece is hashed as it comes"},

	{.table = "session",
		.key = "listen",
		.type = string_list,
		.effect = restart,
		.default_text = "0.0.0.0:6881,[::]:6881",
		.shape = "ADDRESS:PORT, [V6ADDRESS]:PORT or INTERFACE:PORT",
		.check = check_listen_address,
		.help = "Where peers connect to.",
		.unset_help = "no peer can connect"},
	{.table = "session",
		.key = "max-connections",
		.type = integer,
		.effect = live,
		.default_text = "200",
		.min = 2,
		.max = 65535,
		.help = "Peer connections of all torrents together."},
	{.table = "session",
		.key = "max-uploads",
		.type = integer,
		.effect = live,
		.default_text = "0",
		.min = 0,
		.max = 65535,
		.help = "Peers that are uploaded to at the same time.",
		.unset_help = "unlimited"},
	{.table = "session",
		.key = "upload-limit",
		.type = rate,
		.effect = live,
		.unit = "KiB/s",
		.default_text = "0",
		.min = 0,
		.max = rate_kib_max,
		.help = "Upload rate of all torrents together.",
		.unset_help = "unlimited"},
	{.table = "session",
		.key = "download-limit",
		.type = rate,
		.effect = live,
		.unit = "KiB/s",
		.default_text = "0",
		.min = 0,
		.max = rate_kib_max,
		.help = "Download rate of all torrents together.",
		.unset_help = "unlimited"},
	{.table = "session",
		.key = "slow-start",
		.type = rate,
		.effect = live,
		.unit = "KiB/s",
		.default_text = "0",
		.min = 0,
		.max = rate_kib_max,
		.help = "Rate that the daemon begins with, up and down, when nothing has moved for 30 s; it rises by "
				"slow-start-step until slow-start-end, where only the limits count.",
		.unset_help = "no slow start"},
	{.table = "session",
		.key = "slow-start-step",
		.type = rate,
		.effect = live,
		.unit = "KiB/s",
		.default_text = "10240",
		.min = 1,
		.max = rate_kib_max,
		.help = "How much a slow start rises every slow-start-period."},
	{.table = "session",
		.key = "slow-start-period",
		.type = duration,
		.effect = live,
		.unit = "ms",
		.default_text = "1000",
		.min = 500,
		.max = 600000,
		.help = "Time between two steps of a slow start."},
	{.table = "session",
		.key = "slow-start-end",
		.type = rate,
		.effect = live,
		.unit = "KiB/s",
		.default_text = "122880",
		.min = 1,
		.max = rate_kib_max,
		.help = "Rate at which a slow start ends; one above slow-start."},
	{.table = "session",
		.key = "torrent-order",
		.type = word,
		.effect = live,
		.default_text = "together",
		.words = "together small-first",
		.help =
			"Whether torrents of one priority download together, or one after the other with the smallest "
			"first. A higher priority always goes first."},
	{.table = "session",
		.key = "sequential",
		.type = boolean,
		.effect = live,
		.default_text = "false",
		.help = "Whether new torrents download their pieces in order."},
	{.table = "session",
		.key = "verify-source",
		.type = boolean,
		.effect = live,
		.default_text = "false",
		.help =
			"Whether new sources hash each piece before sending it first. Targets check every piece anyway; "
			"add --seed --check hashes the source before it is shared."},
	{.table = "session",
		.key = "lsd",
		.type = boolean,
		.effect = live,
		.default_text = "true",
		.help = "Finds peers in the local network by multicast."},
	{.table = "session",
		.key = "pex",
		.type = boolean,
		.effect = restart,
		.default_text = "true",
		.help = "Peers tell each other about peers."},
	{.table = "session",
		.key = "dht",
		.type = boolean,
		.effect = live,
		.default_text = "false",
		.help = "Finds peers by the distributed hash table."},
	{.table = "session",
		.key = "trackers",
		.type = string_list,
		.effect = live,
		.shape = "http://HOST/PATH, https://HOST/PATH or udp://HOST:PORT",
		.check = check_tracker_url,
		.help = "Trackers that every new torrent gets besides its own.",
		.unset_help = "none"},

	{.table = "metrics",
		.key = "metrics-listen",
		.type = string,
		.effect = live,
		.shape = "ADDRESS:PORT, an IPv4 address in digits, the port from 1",
		.check = check_metrics_address,
		.help =
			"Where Prometheus finds the daemon's metrics, under /metrics. Whoever reaches it may read them: "
			"names and targets of torrents among them.",
		.unset_help = "no metrics"},
});

std::size_t edit_distance(std::string_view a, std::string_view b)
{
	std::vector<std::size_t> row(b.size() + 1);
	std::iota(row.begin(), row.end(), std::size_t{0});
	for (std::size_t i = 0; i < a.size(); ++i) {
		auto diagonal = row[0];
		row[0] = i + 1;
		for (std::size_t j = 0; j < b.size(); ++j) {
			auto const replaced = diagonal + (a[i] == b[j] ? 0 : 1);
			diagonal = row[j + 1];
			row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
		}
	}
	return row[b.size()];
}

} // namespace

std::span<schema_row const> schema()
{
	return rows;
}

schema_row const *find_row(std::string_view key)
{
	for (auto const &row : rows) {
		auto const is_qualified = key.size() == row.table.size() + 1 + row.key.size() &&
			key.starts_with(row.table) && key[row.table.size()] == '.' && key.ends_with(row.key);
		if (key == row.key || is_qualified)
			return &row;
	}
	return nullptr;
}

std::string_view closest_name(std::string_view name, std::span<std::string_view const> known)
{
	// Longer names cannot be typing mistakes, and the comparison is quadratic.
	constexpr std::size_t name_bytes_max = 64;
	if (name.empty() || name.size() > name_bytes_max)
		return {};
	std::string_view best;
	auto best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
	for (auto const candidate : known) {
		auto const distance = edit_distance(name, candidate);
		if (distance < best_distance) {
			best_distance = distance;
			best = candidate;
		}
	}
	return best;
}

std::span<std::string_view const> log_level_names()
{
	return level_names;
}

std::span<std::string_view const> log_component_names()
{
	return component_names;
}

} // namespace ezio
