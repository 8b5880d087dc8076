#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ezio::sim
{

/// One roll-out: a source and its nodes, their links, and how they behave. scenario.cpp's table explains each
/// field.
struct scenario {
	std::uint64_t seed = 1;
	std::uint32_t nodes = 8;
	double mbit = 100;
	double overhead = 0.03;
	std::uint32_t pieces = 200;
	std::uint32_t piece_kib = 1024;
	std::uint32_t chunk_kib = 64;
	std::uint32_t window = 2;

	double start_s = 0.5;
	double jitter_s = 0.05;
	double discover_s = 0.3;
	double reaction_s = 0.02;
	std::uint32_t conns = 50;
	std::uint32_t source_conns = 200;
	double queue_s = 1;
	std::uint32_t queue_kib = 8000;
	bool whole = true;

	std::uint32_t slots = 0;
	std::uint32_t source_slots = 0;
	std::uint32_t turn = 0;
	double rechoke_s = 15;
	bool directed = false;
	std::uint32_t ahead = 16;

	std::uint32_t rack = 0;
	double oversubscribed = 1;
	double local = 0;
	bool prefer_rack = false;

	double stagger_s = 0;
	std::uint32_t late = 0;
	std::uint32_t slow = 0;
	double slow_share = 0.25;
	double kill = 0;
	bool lose_source = false;

	/// Of the payload of one node's link, in bytes a second.
	double payload_rate() const;
	std::uint64_t image_bytes() const { return std::uint64_t{pieces} * piece_kib * 1024; }
	double ideal_s() const { return static_cast<double>(image_bytes()) / payload_rate(); }
	std::uint32_t chunks_per_piece() const { return piece_kib / chunk_kib; }
};

/// Sets what "key=value" says. What is wrong with it, if something is.
std::optional<std::string> assign(scenario &s, std::string_view argument);
/// What keeps the whole from being simulated, if something does.
std::optional<std::string> find_fault(scenario const &s);
/// All keys with their defaults and meanings, for --help.
std::string describe_keys();
/// All values as JSON members, without braces.
std::string to_json_members(scenario const &s);

} // namespace ezio::sim
