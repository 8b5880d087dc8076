#include "ctl/wait_condition.hpp"

namespace ezio::ctl
{
namespace
{

bool is_busy(torrent_view const &t)
{
	return t.state == "checking" || t.state == "downloading" || t.state == "syncing" ||
		t.state == "verifying" || t.down_rate > 0 || t.up_rate > 0;
}

wait_outcome reached_if(bool is_reached)
{
	return {is_reached ? wait_verdict::reached : wait_verdict::pending, std::nullopt};
}

} // namespace

std::optional<wait_condition> wait_condition_from_string(std::string_view name)
{
	if (name == "ready")
		return wait_condition::ready;
	if (name == "downloaded")
		return wait_condition::downloaded;
	if (name == "synced")
		return wait_condition::synced;
	if (name == "verified")
		return wait_condition::verified;
	if (name == "idle")
		return wait_condition::idle;
	if (name == "gone")
		return wait_condition::gone;
	return std::nullopt;
}

wait_outcome judge(torrent_view const &torrent, wait_condition condition)
{
	if (condition == wait_condition::gone)
		return {};
	if (torrent.state == "error") {
		auto const unknown = make_error(errc::internal, "the torrent is in state error");
		return {wait_verdict::failed, torrent.failure.value_or(unknown)};
	}
	switch (condition) {
	case wait_condition::ready:
		return reached_if(torrent.state != "checking");
	case wait_condition::downloaded:
		return reached_if(torrent.is_complete());
	case wait_condition::synced:
		return reached_if(torrent.is_synced);
	case wait_condition::verified:
		if (torrent.state == "verifying")
			return {};
		if (torrent.bad_pieces.value_or(0) > 0)
			return {wait_verdict::failed,
				make_error(errc::integrity,
					std::to_string(*torrent.bad_pieces) + " of " + std::to_string(torrent.pieces_total) +
						" pieces on the device do not match their hash")};
		return reached_if(torrent.is_verified);
	case wait_condition::idle:
		return reached_if(!is_busy(torrent));
	case wait_condition::gone:
		break;
	}
	return {};
}

} // namespace ezio::ctl
