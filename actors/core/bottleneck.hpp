#pragma once

#include "actors/core/torrent_session.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// What the daemon's parts had used up to one moment. Two of them give the load between.
struct load_sample {
	monotonic_time when{};
	std::uint64_t network_cpu_ns = 0; ///< libtorrent's network thread
	std::uint64_t hash_cpu_ns = 0;    ///< all hashers together
	std::uint64_t device_bytes = 0;   ///< read and written
	/// One device or partition, under a number that is never given again.
	struct part {
		std::uint64_t number = 0;
		std::string device;
		std::uint64_t ns = 0;
		std::uint64_t hash_ns = 0; ///< partitions only: time it hashed by itself
	};
	std::vector<part> partitions; ///< time in device calls
	std::vector<part> devices;    ///< time that peers of the device were told to wait
};

/// How busy each part was over the time between two samples, 0 to 1.
struct busy_report {
	double seconds = 0; ///< 0: nothing was measured yet
	double network = 0;
	double hashing = 0;        ///< of the hashers that there are, or of what the busiest partition hashes
	double inline_hashing = 0; ///< by the busiest partition, which cannot do anything else meanwhile
	double device = 0;         ///< calls of the device by the busiest partition
	double backpressure = 0;   ///< of the device that holds its peers back most
	/// That device if it does so often, and then inline_hashing and device are of its partitions; else the
	/// device of the busiest partition of all.
	std::string busiest;
	std::uint64_t device_bytes_per_second = 0;
};

busy_report load_between(load_sample const &before, load_sample const &after, std::uint32_t hashers);

enum class bottleneck_kind : std::uint8_t {
	none,    ///< nothing is moving and nothing should be
	network, ///< the network thread has no more CPU
	disk,
	hashing,
	limit,  ///< a configured rate limit, the daemon's or a torrent's own
	peers,  ///< nobody is connected, or they take no more from us
	source, ///< peers are there but do not send faster
};

std::string_view to_string(bottleneck_kind kind);

struct bottleneck {
	bottleneck_kind what = bottleneck_kind::none;
	std::string evidence; ///< one sentence with the figures that decided
};

/// Configured limits that could explain a rate, bytes per second; 0: none.
struct rate_limits {
	std::uint64_t down = 0;
	std::uint64_t up = 0;
};

/// What holds the transfers back. Local parts come first, since a busy part of ours would hold back any
/// swarm; the swarm is blamed only where all of them have room. Peers that wait say "disk" only where nothing
/// else of ours is full: what they sent may also pile up before the hashers.
bottleneck find_bottleneck(
	busy_report const &load, std::span<torrent_row const> torrents, rate_limits limits);

} // namespace ezio
