#include "actors/bt/bt_convert.hpp"
#include "actors/bt/merkle.hpp"
#include "actors/bt/session_settings.hpp"
#include "actors/core/piece_digest.hpp"

#include <boost/asio/error.hpp>

#include <catch2/catch.hpp>

#include <cerrno>

using namespace ezio;

TEST_CASE("every errno of a failed write looks like EIO to libtorrent", "[bt-convert]")
{
	auto const number = GENERATE(ENOSPC, EROFS, EPERM, EACCES, EFBIG, EIO, ENODEV);
	auto const e = to_lt_error(make_io_error("pwritev", "/dev/x", 0, 1, number), job_kind::write, true);
	CHECK(e.ec == lt::error_code(boost::system::errc::io_error, boost::system::generic_category()));
}

TEST_CASE("a later failure of a failed storage looks aborted", "[bt-convert]")
{
	auto const e = to_lt_error(make_io_error("pwritev", "/dev/x", 0, 1, EIO), job_kind::write, false);
	CHECK(e.ec == lt::error_code(boost::asio::error::operation_aborted));
}

TEST_CASE("a missing buffer stays what it is, so that only the peer is dropped", "[bt-convert]")
{
	auto const is_first = GENERATE(false, true);
	auto const e = to_lt_error(make_error(errc::no_memory, "none"), job_kind::write, is_first);
	CHECK(e.ec == lt::error_code(boost::system::errc::not_enough_memory, boost::system::generic_category()));
}

TEST_CASE("an unexpected end of a device is an error", "[bt-convert]")
{
	CHECK(to_lt_error(make_io_error("preadv", "/dev/x", 0, 1, 0), job_kind::read, false));
}

TEST_CASE("addresses of peers are numbers and a port", "[bt-convert]")
{
	auto const v4 = resolve_endpoints("127.0.0.1:6881");
	REQUIRE(v4);
	CHECK(to_text(v4->front()) == "127.0.0.1:6881");
	auto const v6 = resolve_endpoints("[::1]:80");
	REQUIRE(v6);
	CHECK(to_text(v6->front()) == "[::1]:80");
}

TEST_CASE("a peer that is no address is refused", "[bt-convert]")
{
	auto const text = GENERATE(as<std::string>{}, "", ":", "127.0.0.1", "127.0.0.1:", ":6881", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:x", "::1:80", "[::1]");
	CAPTURE(text);
	auto const parsed = resolve_endpoints(text);
	REQUIRE_FALSE(parsed);
	CHECK(parsed.failure().code == errc::invalid_argument);
}

TEST_CASE("libtorrent's own settings are set by name and type", "[bt-convert]")
{
	lt::settings_pack pack;
	CHECK(set_libtorrent_setting(pack, "max_out_request_queue", "123"));
	CHECK(pack.get_int(lt::settings_pack::max_out_request_queue) == 123);
	CHECK(set_libtorrent_setting(pack, "enable_lsd", "false"));
	CHECK_FALSE(pack.get_bool(lt::settings_pack::enable_lsd));
	CHECK(set_libtorrent_setting(pack, "user_agent", "x"));
	CHECK(pack.get_str(lt::settings_pack::user_agent) == "x");
	CHECK(set_libtorrent_setting(pack, "no_such_key", "1").failure().code == errc::unknown_key);
	CHECK(set_libtorrent_setting(pack, "enable_lsd", "1").failure().code == errc::out_of_range);
	CHECK(set_libtorrent_setting(pack, "max_out_request_queue", "many").failure().code == errc::out_of_range);
}

TEST_CASE("what a key of ours stands for, or nothing reads, is not set by libtorrent's name", "[bt-convert]")
{
	auto const limit = check_is_ours_to_pass("upload_rate_limit");
	REQUIRE_FALSE(limit);
	CHECK(limit.failure().code == errc::unsupported);
	CHECK(limit.failure().message == "upload_rate_limit: use upload-limit");
	CHECK_FALSE(check_is_ours_to_pass("aio_threads"));
	CHECK_FALSE(check_is_ours_to_pass("file_pool_size"));
	CHECK(check_is_ours_to_pass("send_buffer_watermark"));
	CHECK(check_is_ours_to_pass("recv_socket_buffer_size"));
	// Each is one of libtorrent's, or the row says nothing; two are of other versions.
	for (auto const *const key :
		{"aio_threads", "hashing_threads", "upload_rate_limit", "download_rate_limit", "connections_limit",
			"unchoke_slots_limit", "listen_interfaces", "enable_lsd", "enable_dht", "file_pool_size",
			"close_file_interval", "disk_io_read_mode", "disk_io_write_mode", "mmap_file_size_cutoff",
			"enable_set_file_valid_data", "no_atime_storage"}) {
		INFO(key);
		CHECK(lt::setting_by_name(key) >= 0);
	}
}

TEST_CASE("session keys become libtorrent settings", "[bt-convert]")
{
	lt::settings_pack pack;
	torrent_defaults defaults;
	CHECK(translate_setting({"upload-limit", "100", false}, pack, defaults));
	CHECK(pack.get_int(lt::settings_pack::upload_rate_limit) == 102400);
	CHECK(translate_setting({"max-uploads", "0", false}, pack, defaults));
	CHECK(pack.get_int(lt::settings_pack::unchoke_slots_limit) == -1);
	CHECK(translate_setting({"trackers", "http://a/x,udp://b:1", false}, pack, defaults));
	CHECK(defaults.trackers == std::vector<std::string>{"http://a/x", "udp://b:1"});
	CHECK(translate_setting({"pex", "false", false}, pack, defaults));
	CHECK_FALSE(defaults.has_pex);
	CHECK(translate_setting({"cache-size", "1", false}, pack, defaults).failure().code == errc::unknown_key);
	CHECK(translate_setting({"upload-limit", "fast", false}, pack, defaults).failure().code ==
		errc::out_of_range);
}

TEST_CASE("a merkle root pads with zero leaves", "[merkle]")
{
	auto const leaf = sha256_of({});
	CHECK(merkle_root(std::vector{leaf}, 1) == leaf);
	std::vector<std::byte> pair(64);
	std::copy(leaf.begin(), leaf.end(), pair.begin());
	CHECK(merkle_root(std::vector{leaf}, 2) == sha256_of(pair));
	std::vector<sha256_digest> const three{leaf, leaf, leaf};
	std::vector<std::byte> both(64);
	std::copy(leaf.begin(), leaf.end(), both.begin());
	std::copy(leaf.begin(), leaf.end(), both.begin() + 32);
	auto const left = sha256_of(both);
	auto const right = sha256_of(pair);
	std::vector<std::byte> top(64);
	std::copy(left.begin(), left.end(), top.begin());
	std::copy(right.begin(), right.end(), top.begin() + 32);
	CHECK(merkle_root(three, 4) == sha256_of(top));
}
