#include "daemon/metrics.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <sstream>

using namespace ezio;

namespace
{

/// "a=1,b=2" of every sample that there is of one metric, with its value.
std::vector<std::pair<std::string, double>> found(metrics_snapshot const &from, std::string_view name)
{
	std::vector<std::pair<std::string, double>> all;
	for (auto const &family : to_metrics(from)) {
		if (family.what->name != name)
			continue;
		for (auto const &sample : family.samples) {
			std::string labels;
			for (auto const &[label, value] : sample.labels)
				labels += (labels.empty() ? "" : ",") + label + "=" + value;
			all.emplace_back(std::move(labels), sample.value);
		}
	}
	return all;
}

double only(metrics_snapshot const &from, std::string_view name)
{
	auto const all = found(from, name);
	REQUIRE(all.size() == 1);
	return all.front().second;
}

/// A daemon in which everything that may have a sample has one.
metrics_snapshot busy()
{
	metrics_snapshot all;
	torrent_row row;
	row.info_hash = std::string(40, 'a');
	row.name = "disk";
	row.target = "/dev/sdb1";
	row.state = torrent_state::error;
	row.failure = make_io_error("pwritev", "/dev/sdb1", 1, 2, 28);
	row.bad_pieces = 3;
	row.eta_seconds = 60;
	row.down_rate = 5;
	all.torrents.emplace({row, row});
	all.torrents->back().info_hash.back() = 'b';
	stats_report stats;
	stats.partitions.resize(2);
	stats.partitions[1].index = 1;
	stats.devices.resize(1);
	for (auto &partition : stats.partitions)
		partition.device = "/dev/sdb";
	stats.devices[0].device = "/dev/sdb";
	stats.hasher_rows.resize(1);
	stats.event_counts = {{"disk-error", 4}};
	all.stats = std::move(stats);
	return all;
}

std::set<std::string_view> words(std::string_view text)
{
	std::set<std::string_view> all;
	while (!text.empty()) {
		auto const end = std::min(text.find(' '), text.size());
		all.insert(text.substr(0, end));
		text.remove_prefix(std::min(end + 1, text.size()));
	}
	return all;
}

} // namespace

TEST_CASE("every metric has a name after the conventions, and a sentence")
{
	std::set<std::string_view> names;
	for (auto const &row : metric_table()) {
		CAPTURE(row.name);
		CHECK(names.insert(row.name).second);
		CHECK(row.name.starts_with("eziod_"));
		CHECK(std::all_of(row.name.begin(), row.name.end(),
			[](char c) { return c == '_' || (std::islower(static_cast<unsigned char>(c)) != 0); }));
		CHECK(row.name.ends_with("_total") == (row.type == metric_type::counter));
		CHECK(row.help.ends_with('.'));
		CHECK(row.help.find_first_of("\n\\|") == std::string_view::npos);
	}
}

TEST_CASE("a daemon that has everything shows every metric, with the labels of the table, each once")
{
	auto const families = to_metrics(busy());
	REQUIRE(families.size() == metric_table().size());
	for (auto const &family : families) {
		CAPTURE(family.what->name);
		std::set<metric_labels> seen;
		for (auto const &sample : family.samples) {
			CHECK(seen.insert(sample.labels).second);
			std::set<std::string_view> names;
			for (auto const &[name, value] : sample.labels)
				names.insert(name);
			CHECK(names == words(family.what->labels));
		}
	}
}

TEST_CASE("the table in docs/metrics.md is that of the code")
{
	std::string const begin = "<!-- metrics: begin -->\n";
	std::ifstream file(EZIO_SOURCE_DIR "/docs/metrics.md");
	std::ostringstream text;
	text << file.rdbuf();
	auto const from = text.str().find(begin);
	auto const to = text.str().find("<!-- metrics: end -->\n");
	REQUIRE(from != std::string::npos);
	REQUIRE(to != std::string::npos);
	CHECK(text.str().substr(from + begin.size(), to - from - begin.size()) == render_metrics_markdown());
}

TEST_CASE("a part that did not answer is missing, not zero")
{
	metrics_snapshot silent;
	silent.version = "1.2";
	CHECK(found(silent, "eziod_answered") ==
		std::vector<std::pair<std::string, double>>{{"part=session", 0}, {"part=stats", 0}});
	CHECK(to_metrics(silent).size() == 2);
	CHECK(found(silent, "eziod_build_info").front().first == "version=1.2,libtorrent=,caf=");
}

TEST_CASE("a torrent is in one state, and shows its error until there is none")
{
	auto all = busy();
	all.torrents->resize(1);
	double sum = 0;
	for (auto const &[labels, value] : found(all, "eziod_torrent_state")) {
		sum += value;
		CHECK(value == (labels.ends_with("state=error") ? 1 : 0));
	}
	CHECK(sum == 1);
	CHECK(found(all, "eziod_torrent_state").size() == 8);
	auto const errors = found(all, "eziod_torrent_error");
	REQUIRE(errors.size() == 1);
	CHECK(errors[0].first ==
		"info_hash=" + std::string(40, 'a') +
			",name=disk,target=/dev/sdb1,code=io-error,operation=pwritev,errno=ENOSPC");
	all.torrents->front().failure.reset();
	all.torrents->front().eta_seconds.reset();
	CHECK(found(all, "eziod_torrent_error").empty());
	CHECK(found(all, "eziod_torrent_eta_seconds").empty());
}

TEST_CASE("rates add up all torrents, counters of disks all partitions and those that ended")
{
	auto all = busy();
	CHECK(only(all, "eziod_download_bytes_per_second") == 10);
	all.stats->partitions[0].write_ops = 1;
	all.stats->partitions[1].write_ops = 2;
	all.stats->ended.write_ops = 4;
	CHECK(only(all, "eziod_disk_writes_total") == 7);
	CHECK(found(all, "eziod_partition_writes_total") ==
		std::vector<std::pair<std::string, double>>{
			{"device=/dev/sdb,partition=0", 1}, {"device=/dev/sdb,partition=1", 2}});
}

TEST_CASE("units are bytes and seconds")
{
	auto all = busy();
	auto &stats = *all.stats;
	stats.partitions.resize(1);
	stats.budget_blocks = 3;
	stats.partitions[0].blocks_dirty = 2;
	stats.devices[0].backpressure_ms = 1500;
	stats.uptime_ms = 250;
	CHECK(only(all, "eziod_cache_size_bytes") == 3 * 16384);
	CHECK(only(all, "eziod_partition_dirty_bytes") == 2 * 16384);
	CHECK(only(all, "eziod_device_backpressure_seconds_total") == 1.5);
	CHECK(only(all, "eziod_uptime_seconds") == 0.25);
}

TEST_CASE("lanes filled are told by two counters")
{
	auto all = busy();
	auto &hasher = all.stats->hasher_rows[0];
	hasher.steps_by_pieces[0] = 3;
	hasher.steps_by_pieces[15] = 1;
	CHECK(only(all, "eziod_hasher_steps_total") == 4);
	CHECK(only(all, "eziod_hasher_lanes_filled_total") == 19);
}

TEST_CASE("a latency histogram counts upwards, and what is beyond its bounds in the count alone")
{
	using std::chrono::microseconds;
	latency_histogram measured;
	for (auto const us : {1, 128, 129, 512, 2'000'000, 100'000'000})
		measured.record(microseconds(us));
	auto all = busy();
	all.stats->partitions.resize(1);
	all.stats->partitions[0].write_latency = measured.summarize();
	for (auto const &family : to_metrics(all)) {
		if (family.what->type != metric_type::histogram)
			continue;
		REQUIRE(family.samples.size() == 4);
		auto const &writes = family.samples[1];
		CHECK(writes.labels.back().second == "write");
		auto const &histogram = writes.histogram;
		CHECK(histogram.count == 6);
		CHECK(histogram.sum == Approx(102.00077));
		REQUIRE(histogram.up_to.size() == 10);
		CHECK(histogram.up_to[0] == std::pair(0.000128, std::uint64_t{2}));
		CHECK(histogram.up_to[1] == std::pair(0.000512, std::uint64_t{4}));
		CHECK(histogram.up_to[7].second == 5);
		CHECK(histogram.up_to[9] == std::pair(33.554432, std::uint64_t{5}));
		CHECK(family.samples[0].histogram.count == 0);
	}
}

TEST_CASE("a label holds UTF-8 of bounded length, whatever a torrent is called")
{
	std::string const bad = "\xef\xbf\xbd";
	CHECK(metric_label_text("a \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") ==
		"a \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	CHECK(metric_label_text("\"\\") == "\"\\");
	CHECK(metric_label_text(std::string_view("a\0b\n\x7f", 5)) == "a" + bad + "b" + bad + bad);
	for (auto const *one : {"\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98"}) {
		CAPTURE(one);
		CHECK(metric_label_text(one).starts_with(bad));
	}
	for (auto const *wrong :
		{"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80"}) {
		CAPTURE(wrong);
		CHECK(metric_label_text(wrong).starts_with(bad + bad));
	}
	std::string long_text(metric_label_bytes_max - 1, 'x');
	CHECK(metric_label_text(long_text + "\xc3\xa4") == long_text);
	CHECK(metric_label_text(long_text + "yz") == long_text + "y");
}
