#include "ctl/fleet_view.hpp"

#include "ctl/wire/codec.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <tuple>

namespace ezio::ctl
{

using nlohmann::json;
using wire::exit_status;

namespace
{

/// The worst first.
constexpr auto states_by_rank = std::to_array<std::string_view>(
	{"error", "paused", "checking", "downloading", "syncing", "verifying", "finished", "seeding"});

std::size_t rank_of_state(std::string const &state)
{
	// A state of a newer daemon is work under way as far as we know.
	auto const found = std::ranges::find(states_by_rank, state);
	return found == states_by_rank.end() ? 3 : static_cast<std::size_t>(found - states_by_rank.begin());
}

int rank_of_status(exit_status status)
{
	switch (status) {
	case exit_status::io:
		return 0;
	case exit_status::integrity:
		return 1;
	case exit_status::refused:
		return 2;
	case exit_status::failure:
		return 3;
	case exit_status::usage:
		return 4;
	case exit_status::interrupted:
		return 5;
	case exit_status::unreachable:
		return 6;
	case exit_status::timed_out:
		return 7;
	case exit_status::done:
		return 8;
	}
	return 3;
}

bool is_unreachable(error const &e)
{
	return e.code == errc::unreachable || e.code == errc::denied || e.code == errc::timed_out;
}

node_standing standing_of(node_facts const &facts, node_row const &row)
{
	// Of a selector that names nothing there: no torrent of those asked for.
	if (facts.failure && facts.failure->code != errc::not_found)
		return is_unreachable(*facts.failure) ? node_standing::unreachable : node_standing::failed;
	if (!facts.is_answered && !facts.failure)
		return node_standing::asking;
	if (row.torrents == 0)
		return node_standing::empty;
	if (row.state == "error")
		return node_standing::failed;
	if (row.state == "paused")
		return node_standing::paused;
	auto const is_done =
		std::ranges::all_of(facts.list.torrents, [](torrent_view const &t) { return t.is_finished(); });
	return is_done ? node_standing::done : node_standing::active;
}

void add_torrent(node_row &row, torrent_view const &t)
{
	row.is_source = row.is_source && t.is_seed;
	row.size_bytes += t.size_bytes;
	row.done_bytes += t.done_bytes;
	row.downloaded_bytes += t.downloaded_bytes;
	row.uploaded_bytes += t.uploaded_bytes;
	row.down_rate += t.down_rate;
	row.up_rate += t.up_rate;
	row.peers += t.peers;
	row.progress += t.progress * static_cast<double>(t.size_bytes);
	if (rank_of_state(t.state) < rank_of_state(row.state))
		row.state = t.state;
	if (t.state != "error")
		return;
	auto const failure = t.failure.value_or(make_error(errc::internal, "the torrent is in state error"));
	auto const status = wire::exit_status_of(failure.code);
	if (row.failure && rank_of_status(row.status) <= rank_of_status(status))
		return;
	row.failure = failure;
	row.status = status;
}

/// Until its last torrent is there.
std::optional<std::uint64_t> eta_of(torrent_list const &list)
{
	std::optional<std::uint64_t> last;
	for (auto const &t : list.torrents) {
		if (t.is_finished())
			continue;
		if (!t.eta_seconds)
			return std::nullopt;
		last = std::max(last.value_or(0), *t.eta_seconds);
	}
	return last;
}

json row_to_json(node_row const &row, node_facts const &facts)
{
	return {{"name", row.name}, {"endpoint", row.endpoint}, {"standing", to_string(row.standing)},
		{"state", row.state}, {"source", row.is_source}, {"progress", row.progress},
		{"size_bytes", row.size_bytes}, {"done_bytes", row.done_bytes},
		{"downloaded_bytes", row.downloaded_bytes}, {"uploaded_bytes", row.uploaded_bytes},
		{"down_rate", row.down_rate}, {"up_rate", row.up_rate}, {"peers", row.peers},
		{"eta_seconds", row.eta_seconds ? json(*row.eta_seconds) : json()},
		{"error", wire::error_to_json(row.failure)}, {"exit_status", static_cast<int>(row.status)},
		{"torrents", facts.list.raw}};
}

} // namespace

std::string_view to_string(node_standing standing)
{
	switch (standing) {
	case node_standing::failed:
		return "failed";
	case node_standing::unreachable:
		return "unreachable";
	case node_standing::asking:
		return "asking";
	case node_standing::empty:
		return "empty";
	case node_standing::paused:
		return "paused";
	case node_standing::active:
		return "active";
	case node_standing::done:
		return "done";
	}
	return "failed";
}

node_row make_node_row(node_facts const &facts)
{
	node_row row;
	row.name = facts.name;
	row.endpoint = facts.endpoint;
	row.torrents = facts.list.torrents.size();
	row.is_source = row.torrents > 0;
	row.state = states_by_rank.back();
	for (auto const &t : facts.list.torrents)
		add_torrent(row, t);
	row.progress = row.size_bytes > 0 ? row.progress / static_cast<double>(row.size_bytes) : 0;
	row.standing = standing_of(facts, row);
	if (row.standing < node_standing::paused && row.state != "error")
		row.state = to_string(row.standing);
	if (row.standing == node_standing::active)
		row.eta_seconds = eta_of(facts.list);
	if (row.standing == node_standing::unreachable) {
		row.down_rate = row.up_rate = row.peers = 0;
		row.state = to_string(row.standing);
	}
	if (facts.failure && row.standing <= node_standing::unreachable) {
		row.failure = facts.failure;
		row.status = wire::exit_status_of(facts.failure->code);
	}
	return row;
}

exit_status worse(exit_status a, exit_status b)
{
	return rank_of_status(a) <= rank_of_status(b) ? a : b;
}

fleet_totals sum_up(std::vector<node_facts> const &nodes, std::vector<node_row> const &rows)
{
	fleet_totals totals;
	std::set<std::string> images;
	bool is_eta_known = true;
	totals.nodes = rows.size();
	for (std::size_t i = 0; i < rows.size(); ++i) {
		auto const &row = rows[i];
		++totals.counts[row.standing];
		totals.down_rate += row.down_rate;
		totals.up_rate += row.up_rate;
		totals.status = worse(totals.status, row.status);
		if (row.is_source) {
			totals.source_uploaded_bytes += row.uploaded_bytes;
			totals.source_up_rate += row.up_rate;
			for (auto const &t : nodes[i].list.torrents)
				totals.source_size_bytes += images.insert(t.info_hash).second ? t.size_bytes : 0;
			continue;
		}
		totals.size_bytes += row.size_bytes;
		totals.done_bytes += row.done_bytes;
		if (row.standing != node_standing::active)
			continue;
		is_eta_known = is_eta_known && row.eta_seconds;
		totals.eta_seconds = std::max(totals.eta_seconds.value_or(0), row.eta_seconds.value_or(0));
	}
	if (!is_eta_known)
		totals.eta_seconds.reset();
	return totals;
}

std::vector<std::size_t> worst_first(std::vector<node_row> const &rows)
{
	std::vector<std::size_t> order(rows.size());
	std::iota(order.begin(), order.end(), std::size_t{0});
	auto const key = [&rows](std::size_t index) {
		auto const &row = rows[index];
		auto const is_active = row.standing == node_standing::active;
		// The longest first; longest of all is one that does not move.
		auto const eta = is_active ? row.eta_seconds.value_or(UINT64_MAX) : 0;
		return std::tuple(row.standing, rank_of_status(row.status), UINT64_MAX - eta,
			is_active ? row.progress : 0.0, row.is_source, std::string_view(row.name));
	};
	std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
	return order;
}

json fleet_to_json(std::vector<node_facts> const &nodes)
{
	std::vector<node_row> rows;
	std::ranges::transform(nodes, std::back_inserter(rows), make_node_row);
	auto const totals = sum_up(nodes, rows);
	auto listed = json::array();
	for (auto const index : worst_first(rows))
		listed.push_back(row_to_json(rows[index], nodes[index]));
	json counts;
	for (auto const standing : {node_standing::failed, node_standing::unreachable, node_standing::asking,
			 node_standing::empty, node_standing::paused, node_standing::active, node_standing::done})
		counts[std::string(to_string(standing))] = totals.count(standing);
	json sum{{"nodes", totals.nodes}, {"standings", counts}, {"size_bytes", totals.size_bytes},
		{"done_bytes", totals.done_bytes}, {"down_rate", totals.down_rate}, {"up_rate", totals.up_rate},
		{"eta_seconds", totals.eta_seconds ? json(*totals.eta_seconds) : json()},
		{"source_uploaded_bytes", totals.source_uploaded_bytes},
		{"source_size_bytes", totals.source_size_bytes}, {"source_up_rate", totals.source_up_rate}};
	return {{"nodes", std::move(listed)}, {"totals", std::move(sum)},
		{"exit_status", static_cast<int>(totals.status)}};
}

} // namespace ezio::ctl
