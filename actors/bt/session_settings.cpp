#include "actors/bt/session_settings.hpp"

#include "actors/bt/bt_convert.hpp"

#include <libtorrent/alert.hpp>

#include <charconv>

namespace ezio
{
namespace
{

using pack_t = lt::settings_pack;

result<int> to_number(session_setting const &setting)
{
	int number = 0;
	auto const &text = setting.value;
	auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
	if (code != std::errc{} || end != text.data() + text.size())
		return make_error(errc::out_of_range, setting.key + ": \"" + text + "\" is not a whole number");
	return number;
}

} // namespace

std::vector<std::string> split_list(std::string const &text)
{
	std::vector<std::string> items;
	std::size_t begin = 0;
	while (begin < text.size()) {
		auto end = text.find(',', begin);
		if (end == std::string::npos)
			end = text.size();
		if (end != begin)
			items.push_back(text.substr(begin, end - begin));
		begin = end + 1;
	}
	return items;
}

lt::settings_pack lan_settings()
{
	lt::settings_pack pack;
	pack.set_int(pack_t::alert_mask,
		lt::alert_category::error | lt::alert_category::status | lt::alert_category::storage |
			lt::alert_category::connect | lt::alert_category::peer);
	pack.set_str(pack_t::user_agent, "eziod");
	pack.set_str(pack_t::peer_fingerprint, "-EZ0100-");

	// Machines of one LAN trust each other's wires; encryption and uTP cost CPU and gain nothing there.
	pack.set_int(pack_t::out_enc_policy, pack_t::pe_disabled);
	pack.set_int(pack_t::in_enc_policy, pack_t::pe_disabled);
	pack.set_bool(pack_t::enable_outgoing_utp, false);
	pack.set_bool(pack_t::enable_incoming_utp, false);
	pack.set_bool(pack_t::enable_upnp, false);
	pack.set_bool(pack_t::enable_natpmp, false);
	pack.set_bool(pack_t::enable_dht, false);

	// A torrent that cannot listen where it was told to must say so, not hide on another port.
	pack.set_bool(pack_t::listen_system_port_fallback, false);
	pack.set_int(pack_t::max_retry_port_bind, 0);

	pack.set_bool(pack_t::allow_multiple_connections_per_ip, true);
	pack.set_int(pack_t::unchoke_slots_limit, -1);
	pack.set_int(pack_t::send_buffer_watermark, 4 * 1024 * 1024);
	pack.set_int(pack_t::send_buffer_low_watermark, 1024 * 1024);
	pack.set_int(pack_t::send_buffer_watermark_factor, 150);
	pack.set_int(pack_t::max_out_request_queue, 500);
	// A piece can be passed on once it is whole; requests that wait for seconds keep many from becoming so.
	pack.set_int(pack_t::request_queue_time, 1);
	// What peers are told to keep on their way. Both ends go through all of it for each block: 2000 cost a
	// twentieth of all CPU time.
	pack.set_int(pack_t::max_allowed_in_request_queue, 500);
	// The adapter's own watermarks bound what waits for the device; this one only raises an alert.
	pack.set_int(pack_t::max_queued_disk_bytes, 1024 * 1024 * 1024);

	// Pieces in flight while checking, in blocks: 512 MiB, so that pieces of 16 MiB too fill the lanes of the
	// hashers. Memory is held only by the part of each that is being hashed.
	pack.set_int(pack_t::checking_mem_usage, 32 * 1024);

	// A limit is one of payload: TCP and IP are not estimated and counted against it.
	pack.set_bool(pack_t::rate_limit_ip_overhead, false);

	// The first connection of a torrent waits for a tick.
	pack.set_int(pack_t::tick_interval, 100);
	pack.set_int(pack_t::connection_speed, 200);
	pack.set_int(pack_t::torrent_connect_boost, 80);
	// A whole lab connects at once; with libtorrent's five waiting connections the others time out.
	pack.set_int(pack_t::listen_queue_size, 1024);
	pack.set_bool(pack_t::smooth_connects, false);
	pack.set_int(pack_t::peer_connect_timeout, 5);
	pack.set_int(pack_t::handshake_timeout, 10);
	pack.set_int(pack_t::min_reconnect_time, 1);
	pack.set_int(pack_t::max_failcount, 100);
	pack.set_int(pack_t::stop_tracker_timeout, 2);
	pack.set_bool(pack_t::announce_to_all_trackers, true);
	pack.set_bool(pack_t::announce_to_all_tiers, true);
	pack.set_bool(pack_t::close_redundant_connections, true);
	pack.set_int(pack_t::alert_queue_size, 10000);
	// Private addresses are where the machines are.
	pack.set_bool(pack_t::ssrf_mitigation, false);
	pack.set_bool(pack_t::no_atime_storage, true);
	// Torrents are started and stopped by the operator alone.
	pack.set_int(pack_t::active_downloads, -1);
	pack.set_int(pack_t::active_seeds, -1);
	pack.set_int(pack_t::active_limit, -1);
	pack.set_int(pack_t::active_checking, -1);
	return pack;
}

result<void> translate_setting(
	session_setting const &setting, lt::settings_pack &pack, torrent_defaults &defaults)
{
	if (setting.is_libtorrent_key) {
		if (setting.key == "recv_socket_buffer_size")
			defaults.receive_pool_bytes = 0;
		return set_libtorrent_setting(pack, setting.key, setting.value);
	}

	auto const is_true = setting.value == "true";
	if (setting.key == "listen") {
		pack.set_str(pack_t::listen_interfaces, setting.value);
	} else if (setting.key == "lsd") {
		pack.set_bool(pack_t::enable_lsd, is_true);
	} else if (setting.key == "dht") {
		pack.set_bool(pack_t::enable_dht, is_true);
	} else if (setting.key == "pex") {
		defaults.has_pex = is_true;
	} else if (setting.key == "sequential") {
		defaults.is_sequential = is_true;
	} else if (setting.key == "verify-source") {
		defaults.verifies_source = is_true;
	} else if (setting.key == "trackers") {
		defaults.trackers = split_list(setting.value);
	} else {
		auto const number = to_number(setting);
		if (setting.key == "receive-pool") {
			if (!number)
				return number.failure();
			defaults.receive_pool_bytes = static_cast<std::uint64_t>(*number);
		} else if (setting.key == "max-connections") {
			if (!number)
				return number.failure();
			pack.set_int(pack_t::connections_limit, *number);
		} else if (setting.key == "max-uploads") {
			if (!number)
				return number.failure();
			pack.set_int(pack_t::unchoke_slots_limit, *number == 0 ? -1 : *number);
		} else if (setting.key == "upload-limit") {
			if (!number)
				return number.failure();
			pack.set_int(pack_t::upload_rate_limit, *number * 1024);
		} else if (setting.key == "download-limit") {
			if (!number)
				return number.failure();
			pack.set_int(pack_t::download_rate_limit, *number * 1024);
		} else {
			return make_error(errc::unknown_key, "the session has no setting \"" + setting.key + "\"");
		}
	}
	return {};
}

} // namespace ezio
