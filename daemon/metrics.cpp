#include "daemon/metrics.hpp"

#include "actors/core/error.hpp"
#include "actors/core/units.hpp"

#include <algorithm>
#include <array>

namespace ezio
{

namespace
{

using enum metric_type;
using samples = std::vector<metric_sample>;
using partition_row = stats_report::partition_row;
using partition_counters = stats_report::partition_counters;
using device_row = stats_report::device_row;
using hasher_row = stats_report::hasher_row;

constexpr double ms_in_second = 1e3;
constexpr double us_in_second = 1e6;
constexpr double ns_in_second = 1e9;

void add(samples &to, metric_labels labels, double value)
{
	to.push_back({std::move(labels), value, {}});
}

void add(samples &to, metric_labels labels, std::uint64_t value)
{
	add(to, std::move(labels), static_cast<double>(value));
}

void add(samples &to, metric_labels labels, std::uint32_t value)
{
	add(to, std::move(labels), std::uint64_t{value});
}

void add(samples &to, metric_labels labels, bool value)
{
	add(to, std::move(labels), value ? 1.0 : 0.0);
}

/// What is not known has no sample.
template <class Number>
void add(samples &to, metric_labels labels, std::optional<Number> const &value)
{
	if (value)
		add(to, std::move(labels), *value);
}

// The daemon.

void build_info(metrics_snapshot const &from, samples &to)
{
	add(to, {{"version", from.version}, {"libtorrent", from.libtorrent}, {"caf", from.caf}}, true);
}

void answered(metrics_snapshot const &from, samples &to)
{
	add(to, {{"part", "session"}}, from.torrents.has_value());
	add(to, {{"part", "stats"}}, from.stats.has_value());
}

void uptime(metrics_snapshot const &from, samples &to)
{
	if (from.stats)
		add(to, {}, static_cast<double>(from.stats->uptime_ms) / ms_in_second);
}

void load(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	auto const &measured = from.stats->load;
	add(to, {{"part", "network_thread"}}, measured.network);
	add(to, {{"part", "hashing"}}, measured.hashing);
	add(to, {{"part", "disk"}}, measured.device);
	add(to, {{"part", "backpressure"}}, measured.backpressure);
}

void events(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &[kind, count] : from.stats->event_counts)
		add(to, {{"kind", kind}}, count);
}

template <auto Rate>
void rate_of_all(metrics_snapshot const &from, samples &to)
{
	if (!from.torrents)
		return;
	std::uint64_t sum = 0;
	for (auto const &row : *from.torrents)
		sum += row.*Rate;
	add(to, {}, sum);
}

template <auto Blocks>
void blocks_as_bytes(metrics_snapshot const &from, samples &to)
{
	if (from.stats)
		add(to, {}, (*from.stats).*Blocks * block_bytes);
}

template <auto Member>
void figure(metrics_snapshot const &from, samples &to)
{
	if (from.stats)
		add(to, {}, (*from.stats).*Member);
}

// Torrents.

metric_labels labels_of(torrent_row const &row)
{
	return {{"info_hash", row.info_hash}, {"name", metric_label_text(row.name)},
		{"target", metric_label_text(row.target)}};
}

template <auto Member>
void torrent(metrics_snapshot const &from, samples &to)
{
	if (!from.torrents)
		return;
	for (auto const &row : *from.torrents)
		add(to, labels_of(row), row.*Member);
}

void torrent_states(metrics_snapshot const &from, samples &to)
{
	using enum torrent_state;
	constexpr std::array all{
		checking, downloading, syncing, finished, seeding, verifying, paused, torrent_state::error};
	if (!from.torrents)
		return;
	for (auto const &row : *from.torrents)
		for (auto const state : all) {
			auto labels = labels_of(row);
			labels.emplace_back("state", to_string(state));
			add(to, std::move(labels), row.state == state);
		}
}

void torrent_errors(metrics_snapshot const &from, samples &to)
{
	if (!from.torrents)
		return;
	for (auto const &row : *from.torrents) {
		if (!row.failure)
			continue;
		auto labels = labels_of(row);
		labels.emplace_back("code", to_string(row.failure->code));
		labels.emplace_back("operation", metric_label_text(row.failure->operation));
		labels.emplace_back("errno", row.failure->os_errno == 0 ? "" : errno_name(row.failure->os_errno));
		add(to, std::move(labels), true);
	}
}

void torrent_unreadable(metrics_snapshot const &from, samples &to)
{
	if (!from.torrents)
		return;
	for (auto const &row : *from.torrents)
		add(to, labels_of(row), row.unreadable_ranges.bytes);
}

// Disks.

template <std::uint64_t partition_counters::*Counter>
void all_partitions(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	auto sum = from.stats->ended.*Counter;
	for (auto const &row : from.stats->partitions)
		sum += row.*Counter;
	add(to, {}, sum);
}

metric_labels labels_of(partition_row const &row)
{
	return {{"device", metric_label_text(row.device)}, {"partition", std::to_string(row.index)}};
}

template <std::uint64_t partition_counters::*Member, std::uint64_t Unit = 1>
void partition(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &row : from.stats->partitions)
		add(to, labels_of(row), row.*Member * Unit);
}

/// Every other bucket of ours, from 128 microseconds to 34 seconds: they double, and a factor of four is
/// enough to see a disk become slow.
constexpr std::size_t bucket_first = 7;
constexpr std::size_t bucket_last = 25;
constexpr std::size_t bucket_step = 2;

metric_histogram to_histogram(latency_histogram::summary const &from)
{
	metric_histogram made;
	std::uint64_t below = 0;
	for (std::size_t i = 0; i <= bucket_last; ++i) {
		below += from.counts[i];
		if (i >= bucket_first && (i - bucket_first) % bucket_step == 0)
			made.up_to.emplace_back(
				static_cast<double>(latency_histogram::upper_us(i)) / us_in_second, below);
	}
	made.count = from.count;
	made.sum = static_cast<double>(from.total_ns) / ns_in_second;
	return made;
}

void latencies(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	using histogram_of = latency_histogram::summary partition_counters::*;
	constexpr std::array<std::pair<char const *, histogram_of>, 4> operations{{
		{"read", &partition_counters::read_latency},
		{"write", &partition_counters::write_latency},
		{"hash", &partition_counters::hash_latency},
		{"flush", &partition_counters::sync_latency},
	}};
	for (auto const &row : from.stats->partitions)
		for (auto const &[name, member] : operations) {
			auto labels = labels_of(row);
			labels.emplace_back("operation", name);
			to.push_back({std::move(labels), 0, to_histogram(row.*member)});
		}
}

template <auto Member>
void device(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &row : from.stats->devices)
		add(to, {{"device", metric_label_text(row.device)}}, row.*Member);
}

void device_waits(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &row : from.stats->devices)
		add(to, {{"device", metric_label_text(row.device)}},
			static_cast<double>(row.backpressure_ms) / ms_in_second);
}

// Hashers.

template <auto Member>
void hasher(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &row : from.stats->hasher_rows)
		add(to, {{"hasher", std::to_string(row.index)}}, row.*Member);
}

void hasher_steps(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &row : from.stats->hasher_rows) {
		std::uint64_t steps = 0;
		for (auto const count : row.steps_by_pieces)
			steps += count;
		add(to, {{"hasher", std::to_string(row.index)}}, steps);
	}
}

void hasher_lanes(metrics_snapshot const &from, samples &to)
{
	if (!from.stats)
		return;
	for (auto const &row : from.stats->hasher_rows) {
		std::uint64_t lanes = 0;
		for (std::size_t i = 0; i < row.steps_by_pieces.size(); ++i)
			lanes += row.steps_by_pieces[i] * (i + 1);
		add(to, {{"hasher", std::to_string(row.index)}}, lanes);
	}
}

constexpr std::string_view of_torrent = "info_hash name target";
constexpr std::string_view of_partition = "device partition";

constexpr auto rows = std::to_array<metric_row>({
	{"eziod_build_info", gauge, "version libtorrent caf", "Always 1; the labels say what runs.", build_info},
	{"eziod_uptime_seconds", gauge, "", "Time since the daemon has started.", uptime},
	{"eziod_answered", gauge, "part",
		"1 if this part of the daemon answered the scrape in time; 0: its metrics are missing. session: "
		"those of torrents and the rates; stats: all others.",
		answered},
	{"eziod_load_ratio", gauge, "part",
		"How busy a part was over the last seconds, 0 to 1; disk: the busiest partition; backpressure: the "
		"time that peers were told to wait.",
		load},
	{"eziod_events_total", counter, "kind", "Events, by their kind in ezioctl events.", events},
	{"eziod_download_bytes_per_second", gauge, "", "Payload that all torrents receive at the moment.",
		rate_of_all<&torrent_row::down_rate>},
	{"eziod_upload_bytes_per_second", gauge, "", "Payload that all torrents send at the moment.",
		rate_of_all<&torrent_row::up_rate>},

	{"eziod_torrent_state", gauge, "info_hash name target state",
		"1 for the state that the torrent is in, 0 for the others: checking, downloading, syncing, finished, "
		"seeding, verifying, paused, error.",
		torrent_states},
	{"eziod_torrent_error", gauge, "info_hash name target code operation errno",
		"1 from a failure until it is resolved by resume or remove, else missing.", torrent_errors},
	{"eziod_torrent_size_bytes", gauge, of_torrent, "Bytes that the torrent covers.",
		torrent<&torrent_row::size_bytes>},
	{"eziod_torrent_done_bytes", gauge, of_torrent,
		"Bytes of pieces whose hash matched and whose writes succeeded.", torrent<&torrent_row::done_bytes>},
	{"eziod_torrent_progress_ratio", gauge, of_torrent,
		"0 to 1; of the check or verification while one runs.", torrent<&torrent_row::progress>},
	{"eziod_torrent_downloaded_bytes_total", counter, of_torrent, "Payload received.",
		torrent<&torrent_row::downloaded_bytes>},
	{"eziod_torrent_uploaded_bytes_total", counter, of_torrent, "Payload sent.",
		torrent<&torrent_row::uploaded_bytes>},
	{"eziod_torrent_peers", gauge, of_torrent, "Connected peers, those that have everything included.",
		torrent<&torrent_row::peers>},
	{"eziod_torrent_seeds", gauge, of_torrent, "Connected peers that have everything.",
		torrent<&torrent_row::seeds>},
	{"eziod_torrent_synced", gauge, of_torrent, "1 if it is complete and flushed to stable storage.",
		torrent<&torrent_row::is_synced>},
	{"eziod_torrent_verified", gauge, of_torrent,
		"1 if the last verification read the device itself and found every piece right.",
		torrent<&torrent_row::is_verified>},
	{"eziod_torrent_held", gauge, of_torrent, "1 while it lets other torrents download first.",
		torrent<&torrent_row::is_held>},
	{"eziod_torrent_bad_pieces", gauge, of_torrent,
		"Pieces that the last verification found wrong; missing before the first one.",
		torrent<&torrent_row::bad_pieces>},
	{"eziod_torrent_hash_failures_total", counter, of_torrent, "Pieces that came with a wrong hash.",
		torrent<&torrent_row::hash_failures>},
	{"eziod_torrent_read_errors_total", counter, of_torrent, "Failed reads of the target.",
		torrent<&torrent_row::read_errors>},
	{"eziod_torrent_unreadable_bytes", gauge, of_torrent,
		"Bytes of the target that could not be read, as far as status lists them.", torrent_unreadable},
	{"eziod_torrent_disk_retries_total", counter, of_torrent,
		"Transfers from and to the target that failed and were tried again.", torrent<&torrent_row::retries>},
	{"eziod_torrent_eta_seconds", gauge, of_torrent,
		"Time until it is complete at the present rate; missing while that is unknown.",
		torrent<&torrent_row::eta_seconds>},

	{"eziod_disk_reads_total", counter, "", "Reads from all devices, partitions that have ended included.",
		all_partitions<&partition_counters::read_ops>},
	{"eziod_disk_read_bytes_total", counter, "", "Bytes of these reads.",
		all_partitions<&partition_counters::read_bytes>},
	{"eziod_disk_writes_total", counter, "", "Writes to all devices, partitions that have ended included.",
		all_partitions<&partition_counters::write_ops>},
	{"eziod_disk_write_bytes_total", counter, "", "Bytes of these writes.",
		all_partitions<&partition_counters::write_bytes>},
	{"eziod_disk_flushes_total", counter, "", "Flushes of all devices to stable storage.",
		all_partitions<&partition_counters::syncs>},
	{"eziod_disk_errors_total", counter, "", "Failed reads, writes and flushes of all devices.",
		all_partitions<&partition_counters::errors>},
	{"eziod_disk_retries_total", counter, "",
		"Transfers from and to all devices that failed and were tried again.",
		all_partitions<&partition_counters::retries>},

	{"eziod_partition_reads_total", counter, of_partition, "Reads from the device.",
		partition<&partition_counters::read_ops>},
	{"eziod_partition_read_bytes_total", counter, of_partition, "Bytes of these reads.",
		partition<&partition_counters::read_bytes>},
	{"eziod_partition_writes_total", counter, of_partition, "Writes to the device.",
		partition<&partition_counters::write_ops>},
	{"eziod_partition_write_bytes_total", counter, of_partition, "Bytes of these writes.",
		partition<&partition_counters::write_bytes>},
	{"eziod_partition_flushes_total", counter, of_partition, "Flushes to stable storage.",
		partition<&partition_counters::syncs>},
	{"eziod_partition_errors_total", counter, of_partition, "Failed reads, writes and flushes.",
		partition<&partition_counters::errors>},
	{"eziod_partition_retries_total", counter, of_partition, "Transfers that failed and were tried again.",
		partition<&partition_counters::retries>},
	{"eziod_partition_hashed_bytes_total", counter, of_partition, "Bytes hashed for this partition.",
		partition<&partition_counters::hashed_bytes>},
	{"eziod_partition_cache_hits_total", counter, of_partition,
		"Blocks of 16 KiB that were found in the cache when somebody asked for them.",
		partition<&partition_counters::cache_hits>},
	{"eziod_partition_cache_misses_total", counter, of_partition,
		"Blocks of 16 KiB that were not there, and were read from the device while somebody waited.",
		partition<&partition_counters::cache_misses>},
	{"eziod_partition_clean_bytes", gauge, of_partition, "Bytes in the cache that the device has as well.",
		partition<&partition_counters::blocks_clean, block_bytes>},
	{"eziod_partition_dirty_bytes", gauge, of_partition, "Bytes in the cache that are not yet written.",
		partition<&partition_counters::blocks_dirty, block_bytes>},
	{"eziod_partition_queue_depth", gauge, of_partition, "Jobs submitted and not finished.",
		partition<&partition_counters::queue_depth>},
	{"eziod_partition_jobs_waiting", gauge, of_partition, "Reads that wait for a free block of the cache.",
		partition<&partition_counters::jobs_waiting>},
	{"eziod_partition_latency_seconds", histogram, "device partition operation",
		"How long read, write, hash (from submission to digest) and flush took.", latencies},

	{"eziod_device_partitions", gauge, "device", "Partitions of the device.",
		device<&device_row::partitions>},
	{"eziod_device_dirty_bytes", gauge, "device", "Bytes received and not yet written.",
		device<&device_row::dirty_bytes>},
	{"eziod_device_dirty_mark_bytes", gauge, "device", "Dirty bytes at which its peers are told to wait.",
		device<&device_row::mark_bytes>},
	{"eziod_device_drain_bytes_per_second", gauge, "device",
		"How fast the device takes what is written, as last measured; 0: not yet.",
		device<&device_row::drain_bytes_per_second>},
	{"eziod_device_backpressure_total", counter, "device", "How often its peers were told to wait.",
		device<&device_row::backpressure_count>},
	{"eziod_device_backpressure_seconds_total", counter, "device", "Time that they were.", device_waits},
	{"eziod_device_blocks_refused_total", counter, "device",
		"Blocks that came when no memory was left; each cost its peer the connection.",
		device<&device_row::blocks_refused>},

	{"eziod_hasher_hashed_bytes_total", counter, "hasher", "Bytes hashed.",
		hasher<&hasher_row::hashed_bytes>},
	{"eziod_hasher_pieces_total", counter, "hasher", "Pieces hashed.", hasher<&hasher_row::pieces>},
	{"eziod_hasher_steps_total", counter, "hasher", "Steps, each of which advances some pieces side by side.",
		hasher_steps},
	{"eziod_hasher_lanes_filled_total", counter, "hasher",
		"Pieces in these steps, added; divided by the steps: how many lanes were filled.", hasher_lanes},

	{"eziod_cache_size_bytes", gauge, "", "cache-size: the one memory budget.",
		blocks_as_bytes<&stats_report::budget_blocks>},
	{"eziod_cache_used_bytes", gauge, "", "What is used of it.", blocks_as_bytes<&stats_report::used_blocks>},
	{"eziod_cache_dirty_bytes", gauge, "", "Bytes received and not yet written, of all devices.",
		figure<&stats_report::dirty_bytes>},
	{"eziod_blocks_refused_total", counter, "",
		"Blocks that came when no memory was left, devices that are no more included.",
		figure<&stats_report::blocks_refused>},
});

/// Bytes of the code point that @p text begins with; 0: it is none that may be shown.
std::size_t code_point_bytes(std::string_view text)
{
	auto const byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
	auto const first = byte(0);
	if (first < 0x80)
		return first >= 0x20 && first != 0x7f ? 1 : 0;
	auto const length = first >= 0xf0 ? 4u : first >= 0xe0 ? 3u : 2u;
	if (first < 0xc2 || first > 0xf4 || text.size() < length)
		return 0;
	for (std::size_t i = 1; i < length; ++i)
		if ((byte(i) & 0xc0) != 0x80)
			return 0;
	auto const second = byte(1);
	auto const is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
	auto const is_outside = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
	return is_overlong || is_outside ? 0 : length;
}

} // namespace

std::string_view to_string(metric_type type)
{
	switch (type) {
	case counter:
		return "counter";
	case gauge:
		return "gauge";
	case histogram:
		return "histogram";
	}
	return {};
}

std::span<metric_row const> metric_table()
{
	return rows;
}

std::vector<metric_family> to_metrics(metrics_snapshot const &from)
{
	std::vector<metric_family> families;
	for (auto const &row : rows) {
		metric_family family{&row, {}};
		row.collect(from, family.samples);
		if (!family.samples.empty())
			families.push_back(std::move(family));
	}
	return families;
}

std::string metric_label_text(std::string_view text)
{
	constexpr std::string_view replacement = "\xef\xbf\xbd";
	std::string out;
	while (!text.empty()) {
		auto const length = code_point_bytes(text);
		auto const next = length == 0 ? replacement : text.substr(0, length);
		if (out.size() + next.size() > metric_label_bytes_max)
			break;
		out += next;
		text.remove_prefix(std::max<std::size_t>(length, 1));
	}
	return out;
}

std::string render_metrics_markdown()
{
	std::string out = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
	for (auto const &row : rows)
		out += "| `" + std::string(row.name) + "` | " + std::string(to_string(row.type)) + " | " +
			std::string(row.labels) + " | " + std::string(row.help) + " |\n";
	return out;
}

} // namespace ezio
