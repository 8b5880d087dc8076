#pragma once

#include "actors/core/torrent_session.hpp"
#include "actors/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio
{

/// The daemon at one moment, as far as it answered in time.
struct metrics_snapshot {
	std::string version;
	std::string libtorrent;
	std::string caf;
	std::optional<stats_report> stats;
	std::optional<std::vector<torrent_row>> torrents;
};

enum class metric_type : std::uint8_t { counter, gauge, histogram };

std::string_view to_string(metric_type type);

/// Names are ours; values are UTF-8 of at most metric_label_bytes_max.
using metric_labels = std::vector<std::pair<std::string, std::string>>;
inline constexpr std::size_t metric_label_bytes_max = 1024;

/// What a histogram has counted. Bounds ascend; the samples above the last one are in count only.
struct metric_histogram {
	std::uint64_t count = 0;
	double sum = 0;
	std::vector<std::pair<double, std::uint64_t>> up_to; ///< upper bound, and how many are not above it
};

struct metric_sample {
	metric_labels labels;
	double value = 0; ///< counters and gauges
	metric_histogram histogram;
};

/// One metric. This table is the only home of names, labels and help.
struct metric_row {
	std::string_view name; ///< "eziod_torrent_done_bytes"; those of counters end in "_total"
	metric_type type;
	std::string_view labels; ///< separated by one space
	std::string_view help;   ///< one sentence
	void (*collect)(metrics_snapshot const &from, std::vector<metric_sample> &to);
};

/// All metrics, in the order of documentation.
std::span<metric_row const> metric_table();

struct metric_family {
	metric_row const *what = nullptr; ///< in the table
	std::vector<metric_sample> samples;
};

/// Everything that the snapshot says. Metrics without a sample are left out. Pure.
std::vector<metric_family> to_metrics(metrics_snapshot const &from);

/// The text as a label's value may be: what is no UTF-8 and what is unprintable becomes U+FFFD, what is too
/// long is cut.
std::string metric_label_text(std::string_view text);

/// The table in docs/metrics.md.
std::string render_metrics_markdown();

} // namespace ezio
