#include "daemon/boot_torrents.hpp"

#include "ctl/wire/protocol.hpp"
#include "actors/core/unique_fd.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>

namespace ezio
{

result<add_request> to_add_request(torrent_entry const &entry)
{
	unique_fd const fd(open(entry.file.c_str(), O_RDONLY | O_CLOEXEC));
	if (!fd)
		return make_io_error("open", entry.file, 0, 0, errno);
	add_request request;
	std::array<char, 64 * 1024> buffer;
	for (;;) {
		auto const got = read(fd.number(), buffer.data(), buffer.size());
		if (got == 0)
			break;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return make_io_error("read", entry.file, request.torrent.size(), buffer.size(), errno);
		request.torrent.append(buffer.data(), static_cast<std::size_t>(got));
		if (request.torrent.size() > wire::torrent_bytes_max)
			return make_error(
				errc::invalid_torrent, entry.file + ": larger than a torrent file may be (16 MiB)");
	}
	request.target = entry.target;
	request.is_seed = entry.what == torrent_entry::mode::seed;
	request.peers = entry.peers;
	return request;
}

} // namespace ezio
