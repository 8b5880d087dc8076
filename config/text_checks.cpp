#include "config/text_checks.hpp"

#include "config/schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include <arpa/inet.h>
#include <sys/un.h>

namespace ezio
{
namespace
{

error bad(std::string reason)
{
	return make_error(errc::out_of_range, std::move(reason));
}

bool is_one_of(std::string_view word, std::span<std::string_view const> words)
{
	return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
		c == '_' || c == '-';
}

bool is_name(std::string_view text)
{
	return !text.empty() && std::all_of(text.begin(), text.end(), is_name_character);
}

struct host_port {
	std::string host; ///< without brackets
	bool is_bracketed = false;
	std::uint16_t port = 0;
};

result<host_port> split_host_port(std::string_view text)
{
	auto const colon = text.rfind(':');
	if (colon == std::string_view::npos || text.ends_with(']'))
		return bad("the port is missing");
	auto const digits = text.substr(colon + 1);
	host_port parts;
	auto const [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), parts.port);
	if (digits.empty() || code != std::errc{} || end != digits.data() + digits.size())
		return bad("the port is not a number from 0 to 65535");
	auto host = text.substr(0, colon);
	parts.is_bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
	if (parts.is_bracketed)
		host = host.substr(1, host.size() - 2);
	if (host.empty())
		return bad("the address before the port is missing");
	if (!parts.is_bracketed && host.find_first_of(":[]") != std::string_view::npos)
		return bad("an IPv6 address must stand in brackets");
	parts.host = host;
	return parts;
}

std::optional<std::array<unsigned char, 4>> ipv4(std::string const &host)
{
	std::array<unsigned char, 4> bytes{};
	if (::inet_pton(AF_INET, host.c_str(), bytes.data()) != 1)
		return std::nullopt;
	return bytes;
}

std::optional<std::array<unsigned char, 16>> ipv6(std::string const &host)
{
	std::array<unsigned char, 16> bytes{};
	if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) != 1)
		return std::nullopt;
	return bytes;
}

/// Digits and dots only: meant as an IPv4 address, not as a name.
bool looks_like_ipv4(std::string_view host)
{
	return host.find_first_not_of("0123456789.") == std::string_view::npos;
}

result<void> check_host(host_port const &parts)
{
	if (parts.is_bracketed) {
		if (!ipv6(parts.host))
			return bad("the text in brackets is not an IPv6 address");
		return {};
	}
	if (looks_like_ipv4(parts.host) ? !ipv4(parts.host).has_value() : !is_name(parts.host))
		return bad("the part before the port is neither an address nor a name");
	return {};
}

result<void> check_ipc_path(std::string_view path)
{
	if (!path.starts_with('/') || path.ends_with('/'))
		return bad("the path after ipc:// is not the absolute path of a file");
	if (path.size() >= sizeof(sockaddr_un::sun_path))
		return bad("the path is longer than the 107 bytes that a socket may have");
	return {};
}

bool is_loopback(host_port const &parts)
{
	auto constexpr loopback_net = 127;
	if (!parts.is_bracketed) {
		auto const v4 = ipv4(parts.host);
		return v4 && v4->front() == loopback_net;
	}
	auto const v6 = ipv6(parts.host);
	return v6 && v6->back() == 1 &&
		std::all_of(v6->begin(), v6->end() - 1, [](unsigned char b) { return b == 0; });
}

result<host_port> split_tcp_address(std::string_view address)
{
	auto parts = split_host_port(address);
	if (!parts)
		return parts;
	if (parts->port == 0)
		return bad("the port must not be 0");
	auto const is_every_address = !parts->is_bracketed && parts->host == "*";
	if (!is_every_address &&
		!(parts->is_bracketed ? ipv6(parts->host).has_value() : ipv4(parts->host).has_value()))
		return bad("the address is not given in digits");
	return parts;
}

constexpr std::string_view tcp_scheme = "tcp://";

} // namespace

result<void> check_zmq_endpoint(std::string_view text)
{
	constexpr std::string_view ipc = "ipc://";
	if (text.starts_with(ipc))
		return check_ipc_path(text.substr(ipc.size()));
	if (!text.starts_with(tcp_scheme))
		return bad("it starts with neither ipc:// nor tcp://");
	auto const parts = split_tcp_address(text.substr(tcp_scheme.size()));
	if (!parts)
		return parts.failure();
	return {};
}

bool is_reachable_from_outside(std::string_view endpoint)
{
	if (!endpoint.starts_with(tcp_scheme))
		return false;
	auto const parts = split_tcp_address(endpoint.substr(tcp_scheme.size()));
	return !parts || !is_loopback(*parts);
}

bool is_metrics_address_outside(std::string_view address)
{
	auto const parts = split_host_port(address);
	return parts && !is_loopback(*parts);
}

result<void> check_listen_address(std::string_view text)
{
	constexpr std::size_t interface_name_bytes_max = 15;
	auto const parts = split_host_port(text);
	if (!parts)
		return parts.failure();
	auto const is_named = !parts->is_bracketed && !looks_like_ipv4(parts->host);
	if (is_named && parts->host.size() > interface_name_bytes_max)
		return bad("the name of an interface has at most 15 characters");
	return check_host(*parts);
}

result<void> check_metrics_address(std::string_view text)
{
	if (text.empty())
		return {};
	if (text.starts_with('*'))
		return bad("the address is not given in digits");
	if (text.starts_with('['))
		return bad("the HTTP server knows no IPv6");
	auto const parts = split_tcp_address(text);
	if (!parts)
		return parts.failure();
	return {};
}

result<void> check_peer(std::string_view text)
{
	auto const parts = split_host_port(text);
	if (!parts)
		return parts.failure();
	if (parts->port == 0)
		return bad("the port must not be 0");
	return check_host(*parts);
}

result<void> check_tracker_url(std::string_view text)
{
	auto const scheme_end = text.find("://");
	if (scheme_end == std::string_view::npos)
		return bad("it is not a URL");
	auto const scheme = text.substr(0, scheme_end);
	auto const rest = text.substr(scheme_end + 3);
	auto const host = rest.substr(0, rest.find_first_of("/?#"));
	if (scheme == "udp")
		return check_peer(host);
	if (scheme != "http" && scheme != "https")
		return bad("it starts with neither http://, https:// nor udp://");
	if (host.empty() || host.starts_with(':'))
		return bad("the host is missing");
	return {};
}

result<void> check_component_level(std::string_view text)
{
	auto const equals = text.find('=');
	if (equals == std::string_view::npos)
		return bad("the = between component and level is missing");
	if (!is_one_of(text.substr(0, equals), log_component_names()))
		return bad("there is no such component");
	if (!is_one_of(text.substr(equals + 1), log_level_names()))
		return bad("the level is not one of trace, debug, info, warning, error, critical, off");
	return {};
}

result<void> check_file_mode(std::string_view text)
{
	auto const is_octal = text.find_first_not_of("01234567") == std::string_view::npos;
	if (!is_octal || text.size() < 3 || text.size() > 4 || (text.size() == 4 && text.front() != '0'))
		return bad("it is not a file mode");
	return {};
}

result<void> check_group(std::string_view text)
{
	constexpr std::size_t group_name_bytes_max = 32;
	if (text.empty() || (is_name(text) && text.size() <= group_name_bytes_max))
		return {};
	return bad("it is not the name of a group");
}

result<void> check_path_or_empty(std::string_view text)
{
	if (text.empty() || (text.starts_with('/') && !text.ends_with('/')))
		return {};
	return bad("it is not the absolute path of a file");
}

result<void> check_state_directory(std::string_view text)
{
	if (text == "auto" || text == "none" ||
		(text.starts_with('/') && text.size() > 1 && !text.ends_with('/')))
		return {};
	return bad("it is neither the absolute path of a directory nor auto or none");
}

std::uint32_t file_mode(std::string_view text)
{
	constexpr int octal = 8;
	std::uint32_t mode = 0;
	std::from_chars(text.data(), text.data() + text.size(), mode, octal);
	return mode;
}

} // namespace ezio
