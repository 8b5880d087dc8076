#include "ctl/status_columns.hpp"

#include <algorithm>
#include <array>

namespace ezio::ctl
{
namespace
{

cell rate_cell(std::uint64_t rate)
{
	return {format_rate(rate), rate > 0 ? "32" : ""};
}

cell eta_cell(torrent_view const &t)
{
	return {t.eta_seconds ? format_duration(*t.eta_seconds) : "-"};
}

constexpr std::array<status_column, 15> columns_known{{
	{"name", "NAME", false, [](torrent_view const &t) { return cell{printable(t.name)}; }},
	{"target", "TARGET", false, [](torrent_view const &t) { return cell{printable(t.target)}; }},
	{"state", "STATE", false,
		[](torrent_view const &t) {
			return cell{printable(t.state), colour_of_state(t.state)};
		}},
	{"progress", "PROGRESS", true, [](torrent_view const &t) { return cell{format_percent(t.progress)}; }},
	{"done", "DONE/SIZE", true,
		[](torrent_view const &t) {
			return cell{format_bytes(t.done_bytes) + " / " + format_bytes(t.size_bytes)};
		}},
	{"size", "SIZE", true, [](torrent_view const &t) { return cell{format_bytes(t.size_bytes)}; }},
	{"down", "DOWN", true, [](torrent_view const &t) { return rate_cell(t.down_rate); }},
	{"up", "UP", true, [](torrent_view const &t) { return rate_cell(t.up_rate); }},
	{"peers", "PEERS", true, [](torrent_view const &t) { return cell{std::to_string(t.peers)}; }},
	{"seeds", "SEEDS", true, [](torrent_view const &t) { return cell{std::to_string(t.seeds)}; }},
	{"pieces", "PIECES", true,
		[](torrent_view const &t) {
			return cell{std::to_string(t.pieces_done) + "/" + std::to_string(t.pieces_total)};
		}},
	{"eta", "ETA", true, eta_cell},
	{"added", "ADDED", false, [](torrent_view const &t) { return cell{format_time(t.added_unix_ms)}; }},
	{"hash", "INFO-HASH", false, [](torrent_view const &t) { return cell{printable(t.info_hash)}; }},
	{"error", "ERROR", false,
		[](torrent_view const &t) {
			return cell{t.failure ? printable(to_string(*t.failure)) : std::string(), "31"};
		}},
}};

} // namespace

std::span<status_column const> status_columns()
{
	return columns_known;
}

status_column const *find_status_column(std::string_view name)
{
	auto const found = std::ranges::find(columns_known, name, &status_column::name);
	return found == columns_known.end() ? nullptr : &*found;
}

result<std::vector<std::string>> parse_columns(std::string_view comma_list)
{
	std::vector<std::string> names;
	while (!comma_list.empty()) {
		auto const comma = comma_list.find(',');
		auto const name = comma_list.substr(0, comma);
		comma_list = comma == std::string_view::npos ? std::string_view() : comma_list.substr(comma + 1);
		if (find_status_column(name) == nullptr) {
			std::string known;
			for (auto const &entry : columns_known)
				known += (known.empty() ? "" : ", ") + std::string(entry.name);
			return make_error(errc::invalid_argument,
				"--columns: there is no column \"" + std::string(name) + "\"; known are " + known);
		}
		names.emplace_back(name);
	}
	if (names.empty())
		return make_error(errc::invalid_argument, "--columns: no column is named");
	return names;
}

std::string_view default_columns()
{
	return "name,target,state,progress,done,down,up,peers,eta,error";
}

std::string_view colour_of_state(std::string_view state)
{
	if (state == "error")
		return "31";
	if (state == "downloading")
		return "36";
	if (state == "finished" || state == "seeding")
		return "32";
	if (state == "paused")
		return "33";
	return "34"; // checking, syncing, verifying
}

} // namespace ezio::ctl
