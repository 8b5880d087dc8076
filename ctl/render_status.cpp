#include "ctl/render.hpp"

#include "ctl/status_columns.hpp"
#include "ctl/text_format.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace ezio::ctl
{
namespace
{

std::string limit_text(std::uint64_t limit)
{
	return limit > 0 ? format_rate(limit) : "none";
}

struct sums {
	std::uint64_t size_bytes = 0, done_bytes = 0, down_rate = 0, up_rate = 0, peers = 0;
};

sums sum(std::vector<torrent_view> const &torrents)
{
	sums s;
	for (auto const &t : torrents) {
		s.size_bytes += t.size_bytes;
		s.done_bytes += t.done_bytes;
		s.down_rate += t.down_rate;
		s.up_rate += t.up_rate;
		s.peers += t.peers;
	}
	return s;
}

} // namespace

std::string render_status(
	std::vector<torrent_view> const &torrents, std::vector<std::string> const &columns, bool use_colour)
{
	std::vector<status_column const *> chosen;
	std::vector<column_head> heads;
	for (auto const &name : columns) {
		auto const *found = find_status_column(name);
		if (found == nullptr)
			continue;
		chosen.push_back(found);
		heads.push_back({std::string(found->title), found->is_right_aligned});
	}
	std::vector<std::vector<cell>> rows;
	rows.reserve(torrents.size());
	for (auto const &t : torrents) {
		std::vector<cell> row;
		for (auto const *entry : chosen)
			row.push_back(entry->make(t));
		rows.push_back(std::move(row));
	}
	return format_table(heads, rows, use_colour);
}

std::string render_status_verbose(std::vector<torrent_view> const &torrents, bool use_colour)
{
	std::string text;
	for (auto const &t : torrents) {
		auto const line = [&text](char const *name, std::string const &value) {
			std::string padded(name);
			padded.resize(std::max<std::size_t>(padded.size(), 14), ' ');
			text += "  " + padded + value + "\n";
		};
		auto const state = printable(t.state);
		text += printable(t.name) + "\n";
		line("info-hash", printable(t.info_hash));
		line("target", printable(t.target));
		line("state",
			use_colour ? "\x1b[" + std::string(colour_of_state(t.state)) + "m" + state + "\x1b[0m" : state);
		line("progress",
			format_percent(t.progress) + ", " + format_bytes(t.done_bytes) + " of " +
				format_bytes(t.size_bytes) + ", " + std::to_string(t.pieces_done) + " of " +
				std::to_string(t.pieces_total) + " pieces of " + format_bytes(t.piece_bytes));
		line("durable", t.is_synced ? "yes: complete and flushed to stable storage" : "not yet");
		std::string verified = t.is_verified ? "yes: the device was read back and every piece matched" : "no";
		if (t.bad_pieces.value_or(0) > 0)
			verified = "FAILED: " + std::to_string(*t.bad_pieces) + " pieces do not match";
		line("verified", verified);
		for (auto const &[label, all] :
			{std::pair("differs", &t.bad), std::pair("unreadable", &t.unreadable)}) {
			for (auto const &[offset, length] : all->listed)
				line(label, "offset " + std::to_string(offset) + " length " + std::to_string(length));
			if (all->more > 0)
				line(label, "and " + std::to_string(all->more) + " more");
		}
		if (t.warm_bytes)
			line("warm-up",
				format_bytes(*t.warm_bytes) +
					(t.is_warming ? " in the cache so far" : " brought into the cache"));
		if (!t.priority.empty())
			line("priority", printable(t.priority) + (t.is_held ? ", waits for torrents that go first" : ""));
		if (t.upload_limit > 0 || t.download_limit > 0)
			line("limits", "down " + limit_text(t.download_limit) + ", up " + limit_text(t.upload_limit));
		if (t.slow_start_rate)
			line("slow start", format_rate(*t.slow_start_rate) + " for the whole daemon at the moment");
		line("down", format_rate(t.down_rate) + ", " + format_bytes(t.downloaded_bytes) + " in all");
		line("up", format_rate(t.up_rate) + ", " + format_bytes(t.uploaded_bytes) + " in all");
		line("peers", std::to_string(t.peers) + ", of them seeds " + std::to_string(t.seeds));
		line("eta", t.eta_seconds ? format_duration(*t.eta_seconds) : "-");
		line("faults",
			std::to_string(t.hash_failures) + " pieces with a wrong hash, " + std::to_string(t.read_errors) +
				" failed reads, " + std::to_string(t.retries) + " transfers tried again");
		line("added", format_time(t.added_unix_ms) + (t.is_seed ? ", as a seed" : ""));
		if (t.failure)
			line("error", printable(to_string(*t.failure)));
	}
	return text;
}

std::string render_counts(std::vector<torrent_view> const &torrents, bool use_colour)
{
	std::map<std::string, std::size_t> counts;
	for (auto const &t : torrents)
		++counts[printable(t.state)];
	std::string text;
	for (auto const &[state, count] : counts) {
		auto const words = std::to_string(count) + " " + state;
		text += text.empty() ? "" : ", ";
		text += use_colour ? "\x1b[" + std::string(colour_of_state(state)) + "m" + words + "\x1b[0m" : words;
	}
	return text;
}

std::string render_sums(std::vector<torrent_view> const &torrents)
{
	auto const s = sum(torrents);
	auto const has_slow_start = !torrents.empty() && torrents.front().slow_start_rate;
	return format_bytes(s.done_bytes) + " of " + format_bytes(s.size_bytes) + "; down " +
		format_rate(s.down_rate) + ", up " + format_rate(s.up_rate) + "; " + std::to_string(s.peers) +
		(s.peers == 1 ? " peer" : " peers") +
		(has_slow_start ? "; slow start: " + format_rate(*torrents.front().slow_start_rate) + " at most"
						: std::string());
}

std::string render_totals(std::vector<torrent_view> const &torrents)
{
	if (torrents.empty())
		return "no torrents\n";
	return std::to_string(torrents.size()) + (torrents.size() == 1 ? " torrent: " : " torrents: ") +
		render_counts(torrents, false) + "; " + render_sums(torrents) + "\n";
}

std::string render_progress(std::vector<torrent_view> const &torrents)
{
	constexpr double bar_columns = 24;
	double weighted = 0;
	auto const s = sum(torrents);
	std::uint64_t eta = 0;
	for (auto const &t : torrents) {
		// Of checks and verifications the daemon reports the progress only as a fraction.
		weighted += t.progress * static_cast<double>(t.size_bytes);
		eta = std::max(eta, t.eta_seconds.value_or(0));
	}
	auto fraction = s.size_bytes > 0 ? weighted / static_cast<double>(s.size_bytes) : 0;
	fraction = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0;
	auto const filled = static_cast<std::size_t>(fraction * bar_columns);
	std::string bar(filled, '#');
	bar.resize(static_cast<std::size_t>(bar_columns), '.');
	return "[" + bar + "] " + format_percent(fraction) + "  " + format_rate(s.down_rate) +
		(eta > 0 ? "  eta " + format_duration(eta) : "") + "  " + render_counts(torrents, false);
}

} // namespace ezio::ctl
