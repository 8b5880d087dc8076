#include "daemon/boot_torrents.hpp"

#include "actors/core/file_read.hpp"
#include "ctl/wire/protocol.hpp"

#include <utility>

namespace ezio
{

result<add_request> to_add_request(torrent_entry const &entry)
{
	auto metainfo = read_file(entry.file, wire::torrent_bytes_max);
	if (!metainfo) {
		if (metainfo.failure().code == errc::out_of_range)
			return make_error(
				errc::invalid_torrent, entry.file + ": larger than a torrent file may be (16 MiB)");
		return metainfo.failure();
	}
	add_request request;
	request.torrent = *std::move(metainfo);
	request.target = entry.target;
	request.is_seed = entry.what == torrent_entry::mode::seed;
	request.peers = entry.peers;
	request.is_sequential = entry.is_sequential;
	request.uploads_max = entry.uploads_max.value_or(request.uploads_max);
	request.connections_max = entry.connections_max.value_or(request.connections_max);
	constexpr std::uint64_t kib = 1024;
	request.limits.up = static_cast<std::uint64_t>(entry.upload_limit_kib) * kib;
	request.limits.down = static_cast<std::uint64_t>(entry.download_limit_kib) * kib;
	auto const priority = torrent_priority_from_string(entry.priority);
	if (!priority)
		return make_error(errc::invalid_argument, "no priority of a torrent is called " + entry.priority);
	request.priority = *priority;
	return request;
}

} // namespace ezio
