#include "actors/bt/session_settings.hpp"

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/disabled_disk_io.hpp>
#include <libtorrent/mmap_disk_io.hpp>
#include <libtorrent/posix_disk_io.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

// A seeder or a target with one of libtorrent's own disk I/Os and the session settings of the daemon: what
// the benches compare the daemon with. Prints "ready", waits for a line on standard input, adds the torrent,
// prints "done" when it is complete, and ends when standard input does.

namespace
{

constexpr char const *usage =
	"bench_lt_peer --disk posix|mmap|disabled --torrent FILE --image FILE --listen ADDRESS:PORT "
	"[--peer ADDRESS:PORT]\n"
	"Without --peer it is the seeder. The torrent has one extent, which is FILE from its start.\n"
	"disabled stores and hashes nothing: what the network alone costs.\n";

struct options {
	std::string disk, torrent, image, listen;
	std::optional<std::string> peer;
};

options parse(int count, char **words)
{
	options parsed;
	std::map<std::string_view, std::string *> const places{{"--disk", &parsed.disk},
		{"--torrent", &parsed.torrent}, {"--image", &parsed.image}, {"--listen", &parsed.listen}};
	for (int i = 1; i < count; i += 2) {
		std::string_view const name = words[i];
		if (i + 1 == count)
			throw std::invalid_argument(std::string(name) + " needs a value");
		if (name == "--peer")
			parsed.peer = words[i + 1];
		else if (auto const place = places.find(name); place != places.end())
			*place->second = words[i + 1];
		else
			throw std::invalid_argument("unknown option " + std::string(name));
	}
	for (auto const &[name, value] : places) {
		if (value->empty())
			throw std::invalid_argument(std::string(name) + " is missing");
	}
	return parsed;
}

lt::disk_io_constructor_type disk_io(std::string const &name)
{
	if (name == "posix")
		return lt::posix_disk_io_constructor;
	if (name == "mmap")
		return lt::mmap_disk_io_constructor;
	if (name == "disabled")
		return lt::disabled_disk_io_constructor;
	throw std::invalid_argument("--disk takes posix, mmap or disabled");
}

lt::tcp::endpoint endpoint_of(std::string const &text)
{
	auto const colon = text.rfind(':');
	if (colon == std::string::npos)
		throw std::invalid_argument(text + " is not ADDRESS:PORT");
	return {lt::make_address(text.substr(0, colon)),
		static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)))};
}

lt::session make_session(options const &with)
{
	using pack_t = lt::settings_pack;
	auto pack = ezio::lan_settings();
	pack.set_str(pack_t::listen_interfaces, with.listen);
	pack.set_bool(pack_t::enable_lsd, false);
	// The image exists already, so that writing to it allocates nothing; what it holds counts for nothing.
	pack.set_bool(pack_t::no_recheck_incomplete_resume, true);
	pack.set_bool(pack_t::disable_hash_checks, with.disk == "disabled");
	lt::session_params params(std::move(pack));
	params.disk_io_constructor = disk_io(with.disk);
	return lt::session(std::move(params));
}

lt::add_torrent_params torrent_of(options const &with)
{
	auto const info = std::make_shared<lt::torrent_info>(with.torrent);
	if (info->num_files() != 1)
		throw std::invalid_argument(with.torrent + " has more than one extent");
	info->rename_file(lt::file_index_t{0}, with.image);
	lt::add_torrent_params params;
	params.ti = info;
	params.save_path = "/";
	params.flags = lt::torrent_flags::update_subscribe;
	if (with.peer)
		params.peers.push_back(endpoint_of(*with.peer));
	else
		params.have_pieces.resize(info->num_pieces(), true); // as the daemon: not hashed before it is sent
	return params;
}

/// Until the torrent is complete; throws what went wrong.
void wait_until_complete(lt::session &session, lt::torrent_handle const &torrent)
{
	for (;;) {
		if (session.wait_for_alert(lt::seconds(1)) == nullptr && torrent.status().is_seeding)
			return;
		std::vector<lt::alert *> alerts;
		session.pop_alerts(&alerts);
		for (auto const *alert : alerts) {
			if (lt::alert_cast<lt::torrent_finished_alert>(alert) != nullptr)
				return;
			if (lt::alert_cast<lt::torrent_error_alert>(alert) != nullptr ||
				lt::alert_cast<lt::file_error_alert>(alert) != nullptr)
				throw std::runtime_error(alert->message());
		}
	}
}

void run(options const &with)
{
	auto session = make_session(with);
	if (!session.is_listening())
		throw std::runtime_error("cannot listen on " + with.listen);
	std::cout << "ready" << std::endl;
	std::string line;
	if (!std::getline(std::cin, line))
		return;
	auto const torrent = session.add_torrent(torrent_of(with));
	wait_until_complete(session, torrent);
	std::cout << "done" << std::endl;
	while (std::getline(std::cin, line)) {
	}
}

} // namespace

int main(int count, char **words)
{
	try {
		run(parse(count, words));
		return EXIT_SUCCESS;
	} catch (std::invalid_argument const &e) {
		std::cerr << e.what() << '\n' << usage;
		return 2;
	} catch (std::exception const &e) {
		std::cerr << "bench_lt_peer: " << e.what() << '\n';
		return EXIT_FAILURE;
	}
}
