#include "actors/core/bottleneck.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

namespace ezio
{
namespace
{

/// A part that is busy for so much of the time leaves no room: the rest is waiting for its turn.
constexpr double busy = 0.85;
/// Peers that wait for the device this much of the time say the same as a busy device.
constexpr double often_held_back = 0.2;
/// libtorrent keeps a limit within a few percent.
constexpr double near_limit = 0.9;

double share(std::uint64_t before, std::uint64_t after, double seconds, std::uint32_t parts = 1)
{
	if (after <= before || seconds <= 0 || parts == 0)
		return 0;
	return std::min(1.0, static_cast<double>(after - before) / 1e9 / seconds / parts);
}

/// The part that was busy for the most of the time, and how much.
struct busiest_part {
	std::string device;
	double part_of_time = 0; ///< but for hashing
	double hashing = 0;
};

/// @p only: of this device; any if it is empty.
busiest_part busiest_of(std::vector<load_sample::part> const &before,
	std::vector<load_sample::part> const &after, double seconds, std::string const &only = {})
{
	busiest_part found;
	for (auto const &now : after) {
		if (!only.empty() && now.device != only)
			continue;
		auto const then = std::find_if(
			before.begin(), before.end(), [&now](auto const &known) { return known.number == now.number; });
		bool const is_known = then != before.end();
		auto const part = share(is_known ? then->ns : 0, now.ns, seconds);
		auto const hashing = share(is_known ? then->hash_ns : 0, now.hash_ns, seconds);
		if (part + hashing > found.part_of_time + found.hashing)
			found = {now.device, part, hashing};
	}
	return found;
}

std::string percent(double part)
{
	return std::to_string(std::lround(part * 100)) + " %";
}

std::string mib_per_second(std::uint64_t rate)
{
	constexpr std::uint64_t mib = 1024 * 1024;
	return std::to_string(rate / mib) + "." + std::to_string(rate % mib * 10 / mib) + " MiB/s";
}

bool is_near(std::uint64_t rate, std::uint64_t limit)
{
	return limit != 0 && static_cast<double>(rate) >= near_limit * static_cast<double>(limit);
}

/// A part of ours that leaves no room.
std::optional<bottleneck> busy_part(busy_report const &load)
{
	// A partition that hashes by itself does either.
	bool const is_partition_full = load.device + load.inline_hashing >= busy;
	bool const is_rather_hashing = load.inline_hashing > load.device;
	// Peers also wait when what they sent piles up before the hashers: the device itself has room then.
	if (is_partition_full && is_rather_hashing)
		return bottleneck{bottleneck_kind::hashing,
			load.busiest + ": the busiest partition hashes " + percent(load.inline_hashing) +
				" of the time by itself, device calls take " + percent(load.device)};
	if (load.hashing >= busy && load.device < busy)
		return bottleneck{bottleneck_kind::hashing,
			"the hashing threads are busy " + percent(load.hashing) + " of the time"};
	if (load.backpressure >= often_held_back || is_partition_full)
		return bottleneck{bottleneck_kind::disk,
			load.busiest + ": device calls take " + percent(load.device) +
				" of the busiest partition's time, peers wait for the disk " + percent(load.backpressure) +
				" of the time; all disks together move " + mib_per_second(load.device_bytes_per_second)};
	if (load.network >= busy)
		return bottleneck{
			bottleneck_kind::network, "the network thread is busy " + percent(load.network) + " of the time"};
	return std::nullopt;
}

/// What all torrents do together.
struct movement {
	std::uint64_t down = 0;
	std::uint64_t up = 0;
	std::uint32_t fetching = 0;
	std::uint32_t alone = 0; ///< of those, without a peer
};

movement summarize(std::span<torrent_row const> torrents)
{
	movement sum;
	for (auto const &torrent : torrents) {
		sum.down += torrent.down_rate;
		sum.up += torrent.up_rate;
		if (torrent.state != torrent_state::downloading)
			continue;
		++sum.fetching;
		if (torrent.peers == 0)
			++sum.alone;
	}
	return sum;
}

std::string evidence_of_limit(std::string const &limit, std::uint64_t rate, std::uint64_t allowed)
{
	return limit + ": " + mib_per_second(rate) + " of " + mib_per_second(allowed);
}

/// A configured limit: of all torrents together, or one of its own for each that moves.
std::optional<bottleneck> limit_of(
	movement const &moving, std::span<torrent_row const> torrents, rate_limits limits)
{
	if (is_near(moving.down, limits.down))
		return bottleneck{
			bottleneck_kind::limit, evidence_of_limit("download-limit", moving.down, limits.down)};
	if (is_near(moving.up, limits.up))
		return bottleneck{bottleneck_kind::limit, evidence_of_limit("upload-limit", moving.up, limits.up)};
	bool const is_down = moving.fetching > 0;
	torrent_row const *limited = nullptr;
	for (auto const &torrent : torrents) {
		bool const counts = is_down
			? torrent.state == torrent_state::downloading && torrent.peers > 0 && !torrent.is_held
			: torrent.up_rate > 0;
		if (!counts)
			continue;
		if (!is_near(is_down ? torrent.down_rate : torrent.up_rate,
				is_down ? torrent.limits.down : torrent.limits.up))
			return std::nullopt;
		if (limited == nullptr)
			limited = &torrent;
	}
	if (limited == nullptr)
		return std::nullopt;
	auto const of = " of torrent " + limited->name;
	if (is_down)
		return bottleneck{bottleneck_kind::limit,
			evidence_of_limit("download-limit" + of, limited->down_rate, limited->limits.down)};
	return bottleneck{
		bottleneck_kind::limit, evidence_of_limit("upload-limit" + of, limited->up_rate, limited->limits.up)};
}

} // namespace

busy_report load_between(load_sample const &before, load_sample const &after, std::uint32_t hashers)
{
	busy_report report;
	report.seconds = std::chrono::duration<double>(after.when - before.when).count();
	if (report.seconds <= 0)
		return {};
	report.network = share(before.network_cpu_ns, after.network_cpu_ns, report.seconds);
	auto const device = busiest_of(before.devices, after.devices, report.seconds);
	bool const is_held_back = device.part_of_time >= often_held_back;
	// What is said of the device that holds its peers back is its own partitions' time.
	auto const partition = busiest_of(
		before.partitions, after.partitions, report.seconds, is_held_back ? device.device : std::string());
	report.inline_hashing = partition.hashing;
	report.hashing =
		std::max(share(before.hash_cpu_ns, after.hash_cpu_ns, report.seconds, hashers), partition.hashing);
	report.device = partition.part_of_time;
	report.backpressure = device.part_of_time;
	report.busiest = is_held_back ? device.device : partition.device;
	if (after.device_bytes > before.device_bytes)
		report.device_bytes_per_second = static_cast<std::uint64_t>(
			static_cast<double>(after.device_bytes - before.device_bytes) / report.seconds);
	return report;
}

std::string_view to_string(bottleneck_kind kind)
{
	switch (kind) {
	case bottleneck_kind::none:
		return "none";
	case bottleneck_kind::network:
		return "network-thread";
	case bottleneck_kind::disk:
		return "disk";
	case bottleneck_kind::hashing:
		return "hashing";
	case bottleneck_kind::limit:
		return "limit";
	case bottleneck_kind::peers:
		return "peers";
	case bottleneck_kind::source:
		return "source";
	}
	return "none";
}

bottleneck find_bottleneck(busy_report const &load, std::span<torrent_row const> torrents, rate_limits limits)
{
	if (auto local = busy_part(load))
		return *std::move(local);
	auto const moving = summarize(torrents);
	if (auto limited = limit_of(moving, torrents, limits))
		return *std::move(limited);
	auto const room = ", while disk (" + percent(load.device) + "), hashing (" + percent(load.hashing) +
		") and network thread (" + percent(load.network) + ") have room";
	if (moving.fetching == 0 && moving.up == 0)
		return {bottleneck_kind::none, "nothing is being transferred"};
	if (moving.fetching == 0)
		return {bottleneck_kind::peers, "the peers take " + mib_per_second(moving.up) + room};
	if (moving.alone == moving.fetching)
		return {bottleneck_kind::peers, "no peer is connected to what is being downloaded"};
	return {bottleneck_kind::source, "the peers send " + mib_per_second(moving.down) + room};
}

} // namespace ezio
