#include "actors/core/bottleneck.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

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

busiest_part busiest_of(
	std::vector<load_sample::part> const &before, std::vector<load_sample::part> const &after, double seconds)
{
	busiest_part found;
	for (auto const &now : after) {
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

} // namespace

busy_report load_between(load_sample const &before, load_sample const &after, std::uint32_t hashers)
{
	busy_report report;
	report.seconds = std::chrono::duration<double>(after.when - before.when).count();
	if (report.seconds <= 0)
		return {};
	report.network = share(before.network_cpu_ns, after.network_cpu_ns, report.seconds);
	auto const partition = busiest_of(before.partitions, after.partitions, report.seconds);
	auto const device = busiest_of(before.devices, after.devices, report.seconds);
	report.inline_hashing = partition.hashing;
	report.hashing =
		std::max(share(before.hash_cpu_ns, after.hash_cpu_ns, report.seconds, hashers), partition.hashing);
	report.device = partition.part_of_time;
	report.backpressure = device.part_of_time;
	report.busiest = device.part_of_time >= often_held_back ? device.device : partition.device;
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
	std::uint64_t down = 0;
	std::uint64_t up = 0;
	std::uint32_t fetching = 0;
	std::uint32_t alone = 0;
	for (auto const &torrent : torrents) {
		down += torrent.down_rate;
		up += torrent.up_rate;
		if (torrent.state != torrent_state::downloading)
			continue;
		++fetching;
		if (torrent.peers == 0)
			++alone;
	}

	// A partition that hashes by itself does either.
	bool const is_partition_full = load.device + load.inline_hashing >= busy;
	bool const is_rather_hashing = load.inline_hashing > load.device;
	if (load.backpressure >= often_held_back || (is_partition_full && !is_rather_hashing))
		return {bottleneck_kind::disk,
			load.busiest + ": device calls take " + percent(load.device) +
				" of the busiest partition's time, peers wait for the disk " + percent(load.backpressure) +
				" of the time; all disks together move " + mib_per_second(load.device_bytes_per_second)};
	if (is_partition_full)
		return {bottleneck_kind::hashing,
			load.busiest + ": the busiest partition hashes " + percent(load.inline_hashing) +
				" of the time by itself, device calls take " + percent(load.device)};
	if (load.hashing >= busy)
		return {bottleneck_kind::hashing,
			"the hashing threads are busy " + percent(load.hashing) + " of the time"};
	if (load.network >= busy)
		return {
			bottleneck_kind::network, "the network thread is busy " + percent(load.network) + " of the time"};
	if (is_near(down, limits.down))
		return {bottleneck_kind::limit,
			"download-limit: " + mib_per_second(down) + " of " + mib_per_second(limits.down)};
	if (is_near(up, limits.up))
		return {bottleneck_kind::limit,
			"upload-limit: " + mib_per_second(up) + " of " + mib_per_second(limits.up)};
	auto const room = ", while disk (" + percent(load.device) + "), hashing (" + percent(load.hashing) +
		") and network thread (" + percent(load.network) + ") have room";
	if (fetching == 0 && up == 0)
		return {bottleneck_kind::none, "nothing is being transferred"};
	if (fetching == 0)
		return {bottleneck_kind::peers, "the peers take " + mib_per_second(up) + room};
	if (alone == fetching)
		return {bottleneck_kind::peers, "no peer is connected to what is being downloaded"};
	return {bottleneck_kind::source, "the peers send " + mib_per_second(down) + room};
}

} // namespace ezio
