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
	return request;
}

} // namespace ezio
