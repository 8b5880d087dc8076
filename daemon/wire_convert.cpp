#include "daemon/wire_convert.hpp"

#include "actors/core/units.hpp"
#include "actors/stats.hpp"
#include "ctl/wire/base64.hpp"

#include <unistd.h>

#include <array>
#include <map>
#include <string_view>
#include <utility>

namespace ezio
{

namespace
{

using nlohmann::json;

// wire::check_args() has seen to the types.
bool flag(json const &args, char const *name)
{
	return args.value(name, false);
}

std::string text(json const &args, char const *name)
{
	return args.value(name, std::string());
}

std::vector<std::string> list(json const &args, char const *name)
{
	auto const found = args.find(name);
	return found == args.end() ? std::vector<std::string>() : found->get<std::vector<std::string>>();
}

using converted = result<control_verb>;

result<std::optional<torrent_priority>> to_priority(json const &args)
{
	auto const found = args.find("priority");
	if (found == args.end())
		return std::optional<torrent_priority>();
	auto const priority = torrent_priority_from_string(found->get_ref<std::string const &>());
	if (!priority)
		return make_error(errc::invalid_argument, "argument \"priority\" must be low, normal or high");
	return priority;
}

converted to_add(json const &args)
{
	add_request add;
	auto bytes = wire::base64_decode(args.at("torrent_base64").get_ref<std::string const &>());
	if (!bytes)
		return bytes.failure();
	add.torrent = std::move(*bytes);
	add.target = text(args, "target");
	if (!add.target.starts_with('/'))
		return make_error(
			errc::invalid_argument, "target must be an absolute path, not \"" + add.target + "\"");
	add.is_seed = flag(args, "seed");
	add.is_sequential = flag(args, "sequential");
	add.is_paused = flag(args, "paused");
	add.is_check = flag(args, "check");
	add.is_verify = flag(args, "verify");
	add.peers = list(args, "peers");
	add.trackers = list(args, "trackers");
	add.uploads_max = args.value("uploads_max", -1);
	add.connections_max = args.value("connections_max", -1);
	add.limits.up = args.value("upload_limit", std::uint64_t{0});
	add.limits.down = args.value("download_limit", std::uint64_t{0});
	auto const priority = to_priority(args);
	if (!priority)
		return priority.failure();
	add.priority = priority->value_or(torrent_priority::normal);
	for (auto &check : list(args, "allow"))
		add.allowed_checks.insert(std::move(check));
	return control_verb(std::move(add));
}

converted to_tune(json const &args)
{
	tune_request tune;
	tune.selectors = list(args, "selectors");
	auto const limit = [&args](char const *name) {
		auto const found = args.find(name);
		return found == args.end() ? std::nullopt : std::optional(found->get<std::uint64_t>());
	};
	tune.tuning.up_limit = limit("upload_limit");
	tune.tuning.down_limit = limit("download_limit");
	auto const priority = to_priority(args);
	if (!priority)
		return priority.failure();
	tune.tuning.priority = *priority;
	return control_verb(std::move(tune));
}

template <torrent_verb Verb>
converted to_torrent_request(json const &args)
{
	return control_verb(torrent_request{Verb, list(args, "selectors")});
}

template <class Request>
converted to_empty(json const &)
{
	return control_verb(Request{});
}

using converter = converted (*)(json const &);

constexpr std::array<std::pair<std::string_view, converter>, 18> converters{{
	{"ping", to_empty<ping_request>},
	{"version", to_empty<version_request>},
	{"add", to_add},
	{"status",
		[](json const &args) -> converted { return control_verb(status_request{list(args, "selectors")}); }},
	{"pause", to_torrent_request<torrent_verb::pause>},
	{"resume", to_torrent_request<torrent_verb::resume>},
	{"remove", to_torrent_request<torrent_verb::remove>},
	{"verify", to_torrent_request<torrent_verb::verify>},
	{"warm", to_torrent_request<torrent_verb::warm>},
	{"reannounce", to_torrent_request<torrent_verb::reannounce>},
	{"tune", to_tune},
	{"peers",
		[](json const &args) -> converted { return control_verb(peers_request{list(args, "selectors")}); }},
	{"report",
		[](json const &args) -> converted { return control_verb(report_request{list(args, "selectors")}); }},
	{"get", [](json const &args) -> converted { return control_verb(get_request{list(args, "keys")}); }},
	{"set",
		[](json const &args) -> converted {
			return control_verb(set_request{text(args, "key"), text(args, "value"), flag(args, "save")});
		}},
	{"reload", to_empty<reload_request>},
	{"stats", to_empty<stats_request>},
	{"shutdown", to_empty<shutdown_request>},
}};

template <class T>
json or_null(std::optional<T> const &value)
{
	return value ? json(*value) : json(nullptr);
}

json ranges_json(std::vector<byte_range> const &ranges)
{
	auto all = json::array();
	for (auto const &range : ranges)
		all.push_back({{"offset_bytes", range.offset_bytes}, {"length_bytes", range.length_bytes}});
	return all;
}

json torrent_json(torrent_row const &row)
{
	return {{"info_hash", row.info_hash}, {"name", row.name}, {"target", row.target},
		{"state", to_string(row.state)}, {"seed", row.is_seed}, {"synced", row.is_synced},
		{"verified", row.is_verified}, {"size_bytes", row.size_bytes}, {"done_bytes", row.done_bytes},
		{"downloaded_bytes", row.downloaded_bytes}, {"uploaded_bytes", row.uploaded_bytes},
		{"down_rate", row.down_rate}, {"up_rate", row.up_rate}, {"peers", row.peers}, {"seeds", row.seeds},
		{"pieces_total", row.pieces_total}, {"pieces_done", row.pieces_done},
		{"piece_bytes", row.piece_bytes}, {"hash_failures", row.hash_failures},
		{"read_errors", row.read_errors}, {"retries", row.retries}, {"progress", row.progress},
		{"eta_seconds", or_null(row.eta_seconds)}, {"added_unix_ms", row.added_unix_ms},
		{"error", wire::error_to_json(row.failure)}, {"bad_pieces", or_null(row.bad_pieces)},
		{"warming", row.is_warming}, {"warm_bytes", or_null(row.warm_bytes)},
		{"bad_ranges", ranges_json(row.bad_ranges.ranges)}, {"bad_ranges_more", row.bad_ranges.more},
		{"unreadable_ranges", ranges_json(row.unreadable_ranges.ranges)},
		{"unreadable_ranges_more", row.unreadable_ranges.more},
		{"downloaded_unix_ms", or_null(row.times.downloaded_unix_ms)},
		{"synced_unix_ms", or_null(row.times.synced_unix_ms)},
		{"verified_unix_ms", or_null(row.times.verified_unix_ms)}, {"upload_limit", row.limits.up},
		{"download_limit", row.limits.down}, {"priority", to_string(row.priority)}, {"held", row.is_held},
		{"slow_start_rate", or_null(row.slow_start_rate)}};
}

/// In one word, what the daemon vouches for.
std::string_view verdict_of(torrent_row const &row)
{
	if (row.failure)
		return "failed";
	if (row.is_verified)
		return "verified";
	return row.is_synced ? "synced" : "incomplete";
}

json report_json(torrent_row const &row)
{
	auto report = torrent_json(row);
	report["verdict"] = verdict_of(row);
	static torrent_evidence const none;
	auto const &evidence = row.evidence ? *row.evidence : none;
	report["info_hash_v2"] = evidence.info_hash_v2;
	report["device"] = {{"path", row.target}, {"size_bytes", evidence.device.size_bytes},
		{"block_device", evidence.device.is_block_device}, {"identity", evidence.device.name},
		{"model", evidence.model}, {"disk", evidence.disk}};
	auto errors = json::array();
	for (auto const &seen : evidence.errors)
		errors.push_back({{"unix_ms", seen.unix_ms}, {"error", wire::error_to_json(seen.what)}});
	report["errors"] = std::move(errors);
	report["errors_total"] = evidence.errors_total;
	return report;
}

json totals_json(std::vector<torrent_row> const &rows)
{
	std::uint64_t size = 0, done = 0, down = 0, up = 0, peers = 0;
	auto states = json::object();
	for (auto const &row : rows) {
		size += row.size_bytes;
		done += row.done_bytes;
		down += row.down_rate;
		up += row.up_rate;
		peers += row.peers;
		auto &count = states[std::string(to_string(row.state))];
		count = count.is_null() ? 1u : count.get<unsigned>() + 1u;
	}
	return {{"torrents", rows.size()}, {"size_bytes", size}, {"done_bytes", done}, {"down_rate", down},
		{"up_rate", up}, {"peers", peers}, {"states", std::move(states)}};
}

json peer_json(peer_row const &peer)
{
	return {{"endpoint", peer.endpoint}, {"client", peer.client}, {"progress", peer.progress},
		{"down_rate", peer.down_rate}, {"up_rate", peer.up_rate}, {"downloaded_bytes", peer.downloaded_bytes},
		{"uploaded_bytes", peer.uploaded_bytes}, {"incoming", peer.is_incoming}, {"seed", peer.is_seed},
		{"source", peer.source}, {"flags", peer.flags}};
}

json setting_json(setting_row const &row)
{
	return {{"table", row.table}, {"key", row.key}, {"type", row.type}, {"unit", row.unit},
		{"value", row.value}, {"effective", row.effective}, {"default", row.default_value},
		{"allowed", row.allowed}, {"live", row.is_live}, {"help", row.help}};
}

json changes_json(std::vector<setting_change> const &changes)
{
	auto all = json::array();
	for (auto const &change : changes)
		all.push_back({{"key", change.key}, {"old", change.old_value}, {"new", change.new_value}});
	return all;
}

json latency_json(latency_histogram::summary const &latency)
{
	return {{"count", latency.count}, {"p50_us", latency.p50_us}, {"p95_us", latency.p95_us},
		{"p99_us", latency.p99_us}, {"max_us", latency.max_us}};
}

using partition_counters = stats_report::partition_counters;

json counters_json(partition_counters const &counters)
{
	json one = {{"read_latency", latency_json(counters.read_latency)},
		{"write_latency", latency_json(counters.write_latency)},
		{"hash_latency", latency_json(counters.hash_latency)},
		{"sync_latency", latency_json(counters.sync_latency)}};
	for (auto const &[name, member] : partition_counter_members)
		one[name] = counters.*member;
	return one;
}

std::string host_name()
{
	std::array<char, 256> name{};
	return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

struct answer_to_json {
	json operator()(ping_reply const &) const { return {{"pong", true}}; }

	json operator()(version_reply const &v) const
	{
		return {{"version", v.version}, {"protocol", v.protocol}, {"libtorrent", v.libtorrent},
			{"caf", v.caf}, {"pid", v.pid}, {"uptime_ms", v.uptime_ms},
			{"events_endpoint", v.events_endpoint}};
	}

	json operator()(add_reply const &added) const { return {{"info_hash", added.info_hash}}; }

	json operator()(status_reply const &status) const
	{
		auto torrents = json::array();
		for (auto const &row : status.rows)
			torrents.push_back(torrent_json(row));
		return {{"torrents", std::move(torrents)}, {"totals", totals_json(status.rows)}};
	}

	json operator()(torrent_reply const &changed) const { return {{"info_hashes", changed.info_hashes}}; }

	json operator()(peers_list_reply const &list) const
	{
		auto torrents = json::array();
		for (auto const &torrent : list.torrents) {
			auto peers = json::array();
			for (auto const &peer : torrent.peers)
				peers.push_back(peer_json(peer));
			torrents.push_back(
				{{"info_hash", torrent.info_hash}, {"name", torrent.name}, {"peers", std::move(peers)}});
		}
		return {{"torrents", std::move(torrents)}};
	}

	json operator()(report_reply const &report) const
	{
		auto torrents = json::array();
		for (auto const &row : report.rows)
			torrents.push_back(report_json(row));
		return {{"unix_ms", report.unix_ms}, {"host", host_name()}, {"daemon", (*this)(report.daemon)},
			{"torrents", std::move(torrents)}};
	}

	json operator()(get_reply const &found) const
	{
		auto settings = json::array();
		for (auto const &row : found.settings)
			settings.push_back(setting_json(row));
		return {{"settings", std::move(settings)}};
	}

	json operator()(setting_change const &change) const
	{
		return {{"key", change.key}, {"old", change.old_value}, {"new", change.new_value},
			{"active", change.is_active}};
	}

	json operator()(reload_report const &report) const
	{
		return {
			{"applied", changes_json(report.applied)}, {"needs_restart", changes_json(report.needs_restart)}};
	}

	json operator()(stats_report const &report) const
	{
		auto partitions = json::array();
		auto all = report.ended;
		for (auto const &row : report.partitions) {
			auto &one = partitions.emplace_back(counters_json(row));
			one["index"] = row.index;
			one["device"] = row.device;
			all += row;
		}
		auto totals = json::object();
		for (auto const &[name, member] : partition_counter_members)
			totals[name] = all.*member;
		auto hashers = json::array();
		for (auto const &row : report.hasher_rows)
			hashers.push_back(
				{{"index", row.index}, {"hashed_bytes", row.hashed_bytes}, {"pieces", row.pieces},
					{"lanes_filled", row.lanes_filled()}, {"steps_by_pieces", row.steps_by_pieces}});
		auto devices = json::array();
		for (auto const &row : report.devices) {
			auto &one = devices.emplace_back(counters_json(row.counters));
			one.update({{"device", row.device}, {"kind", to_string(row.kind)}, {"partitions", row.partitions},
				{"dirty_bytes", row.dirty_bytes}, {"dirty_mark_bytes", row.mark_bytes},
				{"drain_bytes_per_second", row.drain_bytes_per_second},
				{"blocks_refused", row.blocks_refused}, {"backpressure_count", row.backpressure_count},
				{"backpressure_ms", row.backpressure_ms}});
		}
		auto by_kind = json::object();
		for (auto const &[kind, count] : report.event_counts)
			by_kind[kind] = count;
		return {{"partitions", std::move(partitions)}, {"devices", std::move(devices)},
			{"totals", std::move(totals)}, {"hashers", std::move(hashers)},
			{"budget",
				{{"capacity_bytes", report.budget_blocks * block_bytes},
					{"used_bytes", report.used_blocks * block_bytes}, {"dirty_bytes", report.dirty_bytes},
					{"backpressure_count", report.backpressure_count},
					{"backpressure_ms", report.backpressure_ms}, {"blocks_refused", report.blocks_refused},
					{"hashers", report.hashers}}},
			{"events", {{"published", report.events_published}, {"by_kind", std::move(by_kind)}}},
			{"load",
				{{"seconds", report.load.seconds}, {"network_thread", report.load.network},
					{"hashing", report.load.hashing}, {"disk", report.load.device},
					{"backpressure", report.load.backpressure},
					{"disk_bytes_per_second", report.load.device_bytes_per_second}}},
			{"bottleneck", {{"what", to_string(report.held_by.what)}, {"evidence", report.held_by.evidence}}},
			{"uptime_ms", report.uptime_ms}};
	}

	json operator()(shutdown_reply const &) const { return {{"stopping", true}}; }
};

} // namespace

result<control_request> to_control_request(wire::request const &request)
{
	for (auto const &[name, convert] : converters) {
		if (name != request.verb->name)
			continue;
		auto verb = convert(request.args);
		if (!verb)
			return verb.failure();
		return control_request{std::move(*verb)};
	}
	return make_error(
		errc::unsupported, "this daemon does not know \"" + std::string(request.verb->name) + "\"");
}

nlohmann::json to_json(control_answer const &answer)
{
	return std::visit(answer_to_json{}, answer);
}

wire::event_message to_event_message(std::uint64_t sequence, event const &e)
{
	wire::event_message message;
	message.seq = sequence;
	message.kind = std::string(to_string(e.kind));
	message.unix_ms = e.unix_ms;
	message.info_hash = e.info_hash;
	message.text = e.text;
	message.key = e.key;
	message.old_value = e.old_value;
	message.new_value = e.new_value;
	message.peer = e.peer;
	if (e.piece >= 0)
		message.piece = static_cast<std::uint32_t>(e.piece);
	message.failure = e.failure;
	return message;
}

} // namespace ezio
