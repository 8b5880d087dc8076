#include "actors/bt/bt_convert.hpp"

#include <libtorrent/address.hpp>
#include <libtorrent/hex.hpp>
#include <libtorrent/operations.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace ezio
{
namespace
{

lt::operation_t operation_of(job_kind kind)
{
	switch (kind) {
	case job_kind::warm:
	case job_kind::read:
	case job_kind::hash_piece:
	case job_kind::hash_block:
		return lt::operation_t::file_read;
	case job_kind::write:
	case job_kind::write_back:
	case job_kind::sync:
	case job_kind::release:
	case job_kind::clear_piece:
	case job_kind::discard:
		return lt::operation_t::file_write;
	case job_kind::open:
		return lt::operation_t::file_open;
	}
	return lt::operation_t::unknown;
}

lt::error_code to_lt_code(error const &failure, job_kind kind)
{
	switch (failure.code) {
	case errc::aborted:
		return boost::asio::error::operation_aborted;
	case errc::no_memory:
		return lt::error_code(boost::system::errc::not_enough_memory, boost::system::generic_category());
	case errc::io_error:
		if (kind != job_kind::write && failure.os_errno != 0)
			return {failure.os_errno, boost::system::generic_category()};
		break;
	case errc::internal:
	case errc::invalid_argument:
	case errc::unknown_key:
	case errc::out_of_range:
	case errc::invalid_torrent:
	case errc::not_found:
	case errc::ambiguous:
	case errc::already_exists:
	case errc::target_refused:
	case errc::unexpected_end:
	case errc::integrity:
	case errc::timed_out:
	case errc::unreachable:
	case errc::denied:
	case errc::interrupted:
	case errc::protocol:
	case errc::unsupported:
		break;
	}
	return lt::error_code(boost::system::errc::io_error, boost::system::generic_category());
}

template <class T>
result<T> parse_number(std::string_view key, std::string_view value)
{
	T number{};
	auto const [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
	if (code != std::errc{} || end != value.data() + value.size())
		return make_error(errc::out_of_range,
			std::string(key) + ": \"" + std::string(value) + "\" is not a whole number of 32 bits");
	return number;
}

} // namespace

lt::storage_error to_lt_error(error const &failure, job_kind kind, bool is_first_failure)
{
	auto code = to_lt_code(failure, kind);
	if (kind == job_kind::write && !is_first_failure && failure.code != errc::no_memory)
		code = boost::asio::error::operation_aborted;
	return {code, lt::file_index_t{0}, operation_of(kind)};
}

std::string to_hex(lt::info_hash_t const &hashes)
{
	return lt::aux::to_hex(hashes.has_v1() ? hashes.v1 : lt::sha1_hash(hashes.v2.data()));
}

lt::sha1_hash to_lt(sha1_digest const &digest)
{
	lt::sha1_hash hash;
	static_assert(sizeof(digest) == lt::sha1_hash::size());
	std::memcpy(hash.data(), digest.data(), digest.size());
	return hash;
}

lt::sha256_hash to_lt(sha256_digest const &digest)
{
	lt::sha256_hash hash;
	static_assert(sizeof(digest) == lt::sha256_hash::size());
	std::memcpy(hash.data(), digest.data(), digest.size());
	return hash;
}

std::string to_text(lt::tcp::endpoint const &endpoint)
{
	auto const address = endpoint.address();
	auto const text = address.to_string();
	return (address.is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(endpoint.port());
}

result<std::vector<lt::tcp::endpoint>> resolve_endpoints(std::string const &host_and_port)
{
	auto const bad = [&](std::string const &why) {
		return make_error(errc::invalid_argument, "peer \"" + host_and_port + "\": " + why);
	};
	auto const colon = host_and_port.rfind(':');
	if (colon == std::string::npos || colon == 0)
		return bad("expected host:port");
	auto host = host_and_port.substr(0, colon);
	if (host.front() == '[' && host.back() == ']')
		host = host.substr(1, host.size() - 2);
	else if (host.find(':') != std::string::npos)
		return bad("write an IPv6 address in brackets: [address]:port");
	auto const port_text = std::string_view(host_and_port).substr(colon + 1);
	std::uint16_t port = 0;
	auto const [end, code] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
	if (code != std::errc{} || end != port_text.data() + port_text.size() || port == 0)
		return bad("the port must be 1 to 65535");

	addrinfo hints{};
	hints.ai_socktype = SOCK_STREAM;
	addrinfo *list = nullptr;
	auto const status = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
	if (status != 0)
		return bad(std::string("cannot resolve: ") + ::gai_strerror(status));
	std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> const owner(list, &::freeaddrinfo);

	std::vector<lt::tcp::endpoint> endpoints;
	for (auto const *entry = list; entry != nullptr; entry = entry->ai_next) {
		if (entry->ai_family == AF_INET) {
			sockaddr_in in{};
			std::memcpy(&in, entry->ai_addr, sizeof(in));
			endpoints.emplace_back(lt::address_v4(ntohl(in.sin_addr.s_addr)), port);
		} else if (entry->ai_family == AF_INET6) {
			sockaddr_in6 in6{};
			std::memcpy(&in6, entry->ai_addr, sizeof(in6));
			lt::address_v6::bytes_type bytes;
			std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
			endpoints.emplace_back(lt::address_v6(bytes, in6.sin6_scope_id), port);
		}
	}
	if (endpoints.empty())
		return bad("has no IP address");
	return endpoints;
}

result<void> check_is_ours_to_pass(std::string_view key)
{
	struct replaced {
		std::string_view key;
		std::string_view by; ///< empty: nothing does what it did
	};
	static constexpr std::array<replaced, 18> all{{
		{"aio_threads", "aio-threads"},
		{"hashing_threads", "hashing-threads"},
		{"cache_size", "cache-size"},
		{"upload_rate_limit", "upload-limit"},
		{"download_rate_limit", "download-limit"},
		{"connections_limit", "max-connections"},
		{"unchoke_slots_limit", "max-uploads"},
		{"listen_interfaces", "listen"},
		{"enable_lsd", "lsd"},
		{"enable_dht", "dht"},
		{"file_pool_size", ""},
		{"close_file_interval", ""},
		{"disk_io_read_mode", ""},
		{"disk_io_write_mode", ""},
		{"disk_write_mode", ""},
		{"mmap_file_size_cutoff", ""},
		{"enable_set_file_valid_data", ""},
		{"no_atime_storage", ""},
	}};
	auto const found =
		std::find_if(all.begin(), all.end(), [key](auto const &row) { return row.key == key; });
	if (found == all.end())
		return {};
	auto const name = std::string(key);
	return make_error(errc::unsupported,
		found->by.empty() ? name + ": eziod has disk I/O of its own, which does not read it"
						  : name + ": use " + std::string(found->by));
}

result<void> set_libtorrent_setting(lt::settings_pack &pack, std::string_view key, std::string_view value)
{
	auto const index = lt::setting_by_name(std::string(key));
	if (index < 0)
		return make_error(errc::unknown_key, "libtorrent has no setting \"" + std::string(key) + "\"");
	switch (index & lt::settings_pack::type_mask) {
	case lt::settings_pack::string_type_base:
		pack.set_str(index, std::string(value));
		return {};
	case lt::settings_pack::int_type_base: {
		auto const number = parse_number<int>(key, value);
		if (!number)
			return number.failure();
		pack.set_int(index, *number);
		return {};
	}
	case lt::settings_pack::bool_type_base:
		if (value != "true" && value != "false")
			return make_error(errc::out_of_range, std::string(key) + ": allowed are true and false");
		pack.set_bool(index, value == "true");
		return {};
	default:
		return make_error(
			errc::internal, "libtorrent setting \"" + std::string(key) + "\" has an unknown type");
	}
}

} // namespace ezio
