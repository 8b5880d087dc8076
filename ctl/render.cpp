#include "ctl/render.hpp"

#include "ctl/json_fields.hpp"
#include "ctl/text_format.hpp"

#include <array>
#include <cstdio>
#include <set>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;

namespace
{

std::string ratio(double part, double whole, char const *format)
{
	if (whole <= 0)
		return "-";
	std::array<char, 32> buffer{};
	auto const written = std::snprintf(buffer.data(), buffer.size(), format, part / whole);
	return written > 0 ? std::string(buffer.data()) : "-";
}

std::string microseconds(std::uint64_t us)
{
	if (us < 1000)
		return std::to_string(us) + " us";
	if (us < 1000000)
		return ratio(static_cast<double>(us), 1e3, "%.1f ms");
	return ratio(static_cast<double>(us), 1e6, "%.2f s");
}

/// An empty value would be invisible.
std::string shown(std::string value)
{
	return value.empty() ? "\"\"" : value;
}

std::string hit_rate(json const &row)
{
	auto const hits = static_cast<double>(number(row, "cache_hits"));
	auto const all = hits + static_cast<double>(number(row, "cache_misses"));
	return all > 0 ? format_percent(hits / all) : "-";
}

std::vector<cell> counters_row(std::string name, std::string device, json const &row)
{
	auto const count = [&row](char const *key) { return cell{std::to_string(number(row, key))}; };
	auto const errors = number(row, "errors");
	return {{std::move(name)}, {std::move(device)}, {hit_rate(row)}, count("blocks_clean"),
		count("blocks_dirty"), count("jobs_waiting"), count("queue_depth"),
		{ratio(100 * static_cast<double>(number(row, "ahead_unused_blocks")),
			static_cast<double>(number(row, "ahead_blocks")), "%.1f %%")},
		count("read_ops"), {format_bytes(number(row, "read_bytes"))}, count("write_ops"),
		{format_bytes(number(row, "write_bytes"))},
		{ratio(static_cast<double>(number(row, "blocks_written")),
			static_cast<double>(number(row, "write_ops")), "%.1f")},
		{format_bytes(number(row, "hashed_bytes"))}, count("syncs"),
		{std::to_string(errors), errors > 0 ? "31" : ""}};
}

std::string device_table(json const &devices, bool use_colour)
{
	std::vector<std::vector<cell>> rows;
	for (auto const &device : devices)
		rows.push_back({{text(device, "device")}, {text(device, "kind")},
			{std::to_string(number(device, "partitions"))}, {format_bytes(number(device, "dirty_bytes"))},
			{format_bytes(number(device, "dirty_mark_bytes"))},
			{format_rate(number(device, "drain_bytes_per_second"))},
			{std::to_string(number(device, "backpressure_count"))},
			{std::to_string(number(device, "backpressure_ms")) + " ms"},
			{std::to_string(number(device, "errors")), number(device, "errors") > 0 ? "31" : ""},
			{std::to_string(number(device, "retries")), number(device, "retries") > 0 ? "33" : ""}});
	if (rows.empty())
		return {};
	return "\n" +
		format_table({{"DEVICE", false}, {"KIND", false}, {"PARTITIONS", true}, {"DIRTY", true},
						 {"PEERS WAIT AT", true}, {"DRAINS", true}, {"WAITS", true}, {"WAITED", true},
						 {"ERRORS", true}, {"RETRIES", true}},
			rows, use_colour);
}

/// A partition, or several that are shown as one.
struct counted_part {
	std::string name;
	std::string device;
	json const &counters;
};

/// Every partition, and behind those of a device with several what they did together.
std::vector<counted_part> parts_of(json const &stats)
{
	std::vector<counted_part> parts;
	auto const add_partitions_of = [&](std::string const *device) {
		for (auto const &partition : member(stats, "partitions")) {
			auto on = text(partition, "device");
			if (device == nullptr || on == *device)
				parts.push_back({std::to_string(number(partition, "index")), std::move(on), partition});
		}
	};
	auto const &devices = member(stats, "devices");
	if (devices.empty())
		add_partitions_of(nullptr);
	std::set<std::string> shown; // two file systems may be mounted at one place, one over the other
	for (auto const &device : devices) {
		auto const name = text(device, "device");
		if (shown.insert(name).second)
			add_partitions_of(&name);
		// An older daemon does not add them up.
		if (number(device, "partitions") > 1 && device.contains("cache_hits"))
			parts.push_back({"all", name, device});
	}
	return parts;
}

std::string latency_table(std::vector<counted_part> const &parts, bool use_colour)
{
	std::vector<std::vector<cell>> rows;
	constexpr std::array<std::pair<char const *, char const *>, 4> kinds{{{"read_latency", "read"},
		{"write_latency", "write"}, {"hash_latency", "hash"}, {"sync_latency", "sync"}}};
	for (auto const &part : parts) {
		for (auto const &[key, name] : kinds) {
			auto const &latency = member(part.counters, key);
			if (number(latency, "count") == 0)
				continue;
			rows.push_back({{part.name}, {part.device}, {name}, {std::to_string(number(latency, "count"))},
				{microseconds(number(latency, "p50_us"))}, {microseconds(number(latency, "p95_us"))},
				{microseconds(number(latency, "p99_us"))}, {microseconds(number(latency, "max_us"))}});
		}
	}
	if (rows.empty())
		return {};
	return "\n" +
		format_table({{"PARTITION", true}, {"DEVICE", false}, {"LATENCY", false}, {"COUNT", true},
						 {"P50", true}, {"P95", true}, {"P99", true}, {"MAX", true}},
			rows, use_colour);
}

std::string hasher_table(json const &hashers, bool use_colour)
{
	std::vector<std::vector<cell>> rows;
	for (auto const &hasher : hashers)
		rows.push_back({{std::to_string(number(hasher, "index"))},
			{format_bytes(number(hasher, "hashed_bytes"))}, {std::to_string(number(hasher, "pieces"))},
			{ratio(fraction(hasher, "lanes_filled"), number(hasher, "hashed_bytes") > 0 ? 1 : 0, "%.1f")}});
	if (rows.empty())
		return {};
	return "\n" +
		format_table(
			{{"HASHER", true}, {"HASHED", true}, {"PIECES", true}, {"LANES", true}}, rows, use_colour);
}

void add_peers(json const &torrent, bool has_name, std::vector<std::vector<cell>> &rows)
{
	for (auto const &peer : member(torrent, "peers")) {
		std::vector<cell> row;
		if (has_name)
			row.push_back({text(torrent, "name")});
		for (auto &&each : {cell{text(peer, "endpoint")}, cell{text(peer, "client")},
				 cell{format_percent(fraction(peer, "progress"))},
				 cell{format_rate(number(peer, "down_rate"))}, cell{format_rate(number(peer, "up_rate"))},
				 cell{format_bytes(number(peer, "downloaded_bytes"))},
				 cell{format_bytes(number(peer, "uploaded_bytes"))},
				 cell{flag(peer, "seed") ? "seed" : "peer"},
				 cell{flag(peer, "incoming") ? "incoming" : text(peer, "source")}, cell{text(peer, "flags")}})
			row.push_back(each);
		rows.push_back(std::move(row));
	}
}

std::string peer_table(bool has_name, std::vector<std::vector<cell>> const &rows, bool use_colour)
{
	if (rows.empty())
		return "no peers\n";
	std::vector<column_head> heads{{"PEER", false}, {"CLIENT", false}, {"HAS", true}, {"DOWN", true},
		{"UP", true}, {"RECEIVED", true}, {"SENT", true}, {"KIND", false}, {"FROM", false}, {"FLAGS", false}};
	if (has_name)
		heads.insert(heads.begin(), {"TORRENT", false});
	return format_table(heads, rows, use_colour);
}

} // namespace

std::string render_peers(json const &reply, bool use_colour)
{
	std::vector<std::vector<cell>> rows;
	for (auto const &torrent : member(reply, "torrents"))
		add_peers(torrent, true, rows);
	return peer_table(true, rows, use_colour);
}

std::string render_peers_of(json const &torrent, bool use_colour)
{
	std::vector<std::vector<cell>> rows;
	add_peers(torrent, false, rows);
	return peer_table(false, rows, use_colour);
}

std::string render_settings(json const &reply, bool use_colour)
{
	std::vector<std::vector<cell>> rows;
	for (auto const &setting : member(reply, "settings"))
		rows.push_back({{text(setting, "table")}, {text(setting, "key"), "1"},
			{shown(text(setting, "value"))}, {shown(text(setting, "effective"))}, {text(setting, "unit")},
			{shown(text(setting, "default"))}, {flag(setting, "live") ? "live" : "restart"},
			{text(setting, "allowed")}, {text(setting, "help")}});
	return format_table(
		{{"TABLE", false}, {"KEY", false}, {"VALUE", false}, {"EFFECTIVE", false}, {"UNIT", false},
			{"DEFAULT", false}, {"CHANGE", false}, {"ALLOWED", false}, {"MEANING", false}},
		rows, use_colour);
}

std::string render_values(json const &reply)
{
	std::string lines;
	for (auto const &setting : member(reply, "settings")) {
		auto const value = text(setting, "value");
		auto const effective = text(setting, "effective");
		lines += text(setting, "key") + " = " + shown(value);
		if (effective != value && effective != "-")
			lines += " (in force: " + shown(effective) + ")";
		lines += "\n";
	}
	return lines;
}

std::string render_change(json const &change, bool is_active)
{
	return text(change, "key") + ": " + shown(text(change, "old")) + " -> " + shown(text(change, "new")) +
		(is_active ? " (active now)\n" : " (after restart)\n");
}

std::string render_reload(json const &reply)
{
	std::string lines;
	for (auto const &change : member(reply, "applied"))
		lines += render_change(change, true);
	for (auto const &change : member(reply, "needs_restart"))
		lines += render_change(change, false);
	return lines.empty() ? "nothing has changed\n" : lines;
}

std::string render_stats(json const &reply, bool use_colour)
{
	auto const parts = parts_of(reply);
	std::vector<std::vector<cell>> rows;
	for (auto const &part : parts)
		rows.push_back(counters_row(part.name, part.device, part.counters));
	rows.push_back(counters_row("all", "", member(reply, "totals")));
	auto lines =
		format_table({{"PARTITION", true}, {"DEVICE", false}, {"HITS", true}, {"CLEAN", true},
						 {"DIRTY", true}, {"WAITING", true}, {"QUEUE", true}, {"UNUSED", true},
						 {"READS", true}, {"READ", true}, {"WRITES", true}, {"WRITTEN", true},
						 {"BLOCKS/WRITE", true}, {"HASHED", true}, {"SYNCS", true}, {"ERRORS", true}},
			rows, use_colour);
	lines += device_table(member(reply, "devices"), use_colour);
	lines += latency_table(parts, use_colour);
	lines += hasher_table(member(reply, "hashers"), use_colour);

	auto const &budget = member(reply, "budget");
	lines += "\nbudget: " + format_bytes(number(budget, "used_bytes")) + " of " +
		format_bytes(number(budget, "capacity_bytes")) + " in use, " +
		format_bytes(number(budget, "dirty_bytes")) + " to be written; back-pressure " +
		std::to_string(number(budget, "backpressure_count")) + " times, " +
		std::to_string(number(budget, "backpressure_ms")) + " ms in all; " +
		std::to_string(number(budget, "blocks_refused")) + " blocks refused; " +
		std::to_string(number(budget, "hashers")) + " hashing threads\n";
	if (auto const bottleneck = render_bottleneck(reply); !bottleneck.empty())
		lines += bottleneck + "\n";
	auto const &events = member(reply, "events");
	lines += "events: " + std::to_string(number(events, "published"));
	auto const &by_kind = member(events, "by_kind");
	if (by_kind.is_object()) {
		for (auto const &[kind, count] : by_kind.items())
			lines += ", " + printable(kind) + " " +
				std::to_string(count.is_number_unsigned() ? count.get<std::uint64_t>() : 0);
	}
	return lines + "\nup " + format_duration(number(reply, "uptime_ms") / 1000) + "\n";
}

std::string render_cache_use(json const &stats)
{
	auto const &budget = member(stats, "budget");
	if (!budget.is_object())
		return {};
	return "cache " + format_bytes(number(budget, "used_bytes")) + " of " +
		format_bytes(number(budget, "capacity_bytes")) + ", " + format_bytes(number(budget, "dirty_bytes")) +
		" to be written; hits " + hit_rate(member(stats, "totals"));
}

std::string render_bottleneck(json const &stats)
{
	auto const &held_by = member(stats, "bottleneck");
	if (!held_by.is_object())
		return {};
	return "bottleneck: " + text(held_by, "what") + ": " + text(held_by, "evidence");
}

std::string render_device(json const &stats, std::string_view device, bool use_colour)
{
	auto rows = json::array();
	for (auto const &row : member(stats, "devices")) {
		auto const &path = member(row, "device");
		if (path.is_string() && path.get_ref<std::string const &>() == device)
			rows.push_back(row);
	}
	// Behind the line that sets it apart from other tables.
	auto const table = device_table(rows, use_colour);
	return table.empty() ? table : table.substr(1);
}

std::string render_event(wire::event_message const &event, bool use_colour)
{
	auto const is_bad = event.failure.has_value();
	auto line = std::to_string(event.seq) + "  " + format_time(event.unix_ms) + "  ";
	line += use_colour ? (is_bad ? "\x1b[31m" : "\x1b[36m") + printable(event.kind) + "\x1b[0m"
					   : printable(event.kind);
	if (!event.info_hash.empty())
		line += "  " + printable(event.info_hash).substr(0, 8);
	if (!event.key.empty())
		line += "  " + printable(event.key) + ":";
	if (!event.old_value.empty() || !event.new_value.empty())
		line += "  " + (event.old_value.empty() ? "" : printable(event.old_value) + " -> ") +
			printable(event.new_value);
	if (!event.peer.empty())
		line += "  peer " + printable(event.peer);
	if (event.piece)
		line += "  piece " + std::to_string(*event.piece);
	if (!event.text.empty())
		line += "  " + printable(event.text);
	if (event.failure) {
		// Most texts tell the whole story already.
		if (auto const story = to_string(*event.failure); event.text.find(story) == std::string::npos)
			line += "  " + printable(story);
	}
	return line + "\n";
}

} // namespace ezio::ctl
