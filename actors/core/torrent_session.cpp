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

} // namespace

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
