#pragma once

#include "ctl/torrent_list.hpp"

#include <string>

namespace ezio::ctl::test
{

/// A torrent in mid-download, for tests of what is shown of it.
inline torrent_view sample()
{
	torrent_view t;
	t.info_hash = std::string(40, 'a');
	t.name = "root";
	t.target = "/dev/sda1";
	t.state = "downloading";
	t.size_bytes = 4096;
	t.done_bytes = 1024;
	t.down_rate = 3 << 20;
	t.peers = 2;
	t.progress = 0.25;
	t.eta_seconds = 75;
	return t;
}

} // namespace ezio::ctl::test
