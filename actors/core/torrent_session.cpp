#include "actors/core/torrent_session.hpp"

#include <array>

namespace ezio
{
namespace
{

struct state_name {
	torrent_state state;
	std::string_view name;
};

constexpr std::array<state_name, 8> state_names{{
	{torrent_state::checking, "checking"},
	{torrent_state::downloading, "downloading"},
	{torrent_state::syncing, "syncing"},
	{torrent_state::finished, "finished"},
	{torrent_state::seeding, "seeding"},
	{torrent_state::verifying, "verifying"},
	{torrent_state::paused, "paused"},
	{torrent_state::error, "error"},
}};

struct priority_name {
	torrent_priority priority;
	std::string_view name;
};

constexpr std::array<priority_name, 3> priority_names{{
	{torrent_priority::low, "low"},
	{torrent_priority::normal, "normal"},
	{torrent_priority::high, "high"},
}};

} // namespace

std::string_view to_string(torrent_priority priority)
{
	for (auto const &entry : priority_names) {
		if (entry.priority == priority)
			return entry.name;
	}
	return "normal";
}

std::optional<torrent_priority> torrent_priority_from_string(std::string_view name)
{
	for (auto const &entry : priority_names) {
		if (entry.name == name)
			return entry.priority;
	}
	return std::nullopt;
}

std::string_view to_string(torrent_state state)
{
	for (auto const &entry : state_names) {
		if (entry.state == state)
			return entry.name;
	}
	return "error";
}

std::optional<torrent_state> torrent_state_from_string(std::string_view name)
{
	for (auto const &entry : state_names) {
		if (entry.name == name)
			return entry.state;
	}
	return std::nullopt;
}

} // namespace ezio
