#include "config/text_checks.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace ezio
{
namespace
{

using check_function = result<void> (*)(std::string_view);

void check_all(
	check_function check, std::vector<std::string> const &good, std::vector<std::string> const &bad)
{
	for (auto const &text : good) {
		CAPTURE(text);
		CHECK(check(text));
	}
	for (auto const &text : bad) {
		CAPTURE(text);
		auto const outcome = check(text);
		REQUIRE_FALSE(outcome);
		CHECK_FALSE(outcome.failure().message.empty());
	}
}

} // namespace

TEST_CASE("an endpoint is a socket file or an address with a port")
{
	check_all(check_zmq_endpoint,
		{"ipc:///run/ezio/control.sock", "ipc:///" + std::string(106, 'x'), "tcp://127.0.0.1:1",
			"tcp://127.9.9.9:65535", "tcp://[::1]:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.1:5555",
			"tcp://[::]:5555", "tcp://*:5555"},
		{"", "ipc://", "ipc://relative", "ipc://@abstract", "ipc:///dir/", "ipc:///" + std::string(107, 'x'),
			"tcp://localhost:5555", "tcp://[*]:5555", "tcp://eth0:5555", "tcp://127.0.0.1",
			"tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://::1:5555", "tcp://*", "inproc://x",
			"/run/x"});
}

TEST_CASE("only a socket file and loopback addresses are out of reach for other machines")
{
	for (auto const *text : {"ipc:///run/x", "tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://[::1]:1"}) {
		CAPTURE(text);
		CHECK_FALSE(is_reachable_from_outside(text));
	}
	for (auto const *text : {"tcp://0.0.0.0:1", "tcp://*:1", "tcp://10.0.0.1:1", "tcp://128.0.0.1:1",
			 "tcp://[::]:1", "tcp://[::2]:1", "tcp://[::ffff:127.0.0.1]:1", "tcp://[1::1]:1", "tcp://"}) {
		CAPTURE(text);
		CHECK(is_reachable_from_outside(text));
	}
}

TEST_CASE("a listening address is an address or an interface with a port")
{
	check_all(check_listen_address,
		{"0.0.0.0:6881", "[::]:6881", "[fe80::1]:1", "eth0:6881", "br-lan.5:0", "a23456789012345:0"},
		{"", "6881", ":6881", "0.0.0.0", "0.0.0.0:", "0.0.0.0:65536", "0.0.0.0:-1", "0.0.0.0:6881s",
			"::1:6881", "[::]", "[]:6881", "[1.2.3.4]:6881", "1.2.3:6881", "256.0.0.1:6881", "eth 0:6881",
			"interface-name-x:6881"});
}

TEST_CASE("metrics are listened for on an address in digits with a port, or nowhere")
{
	check_all(check_metrics_address, {"", "127.0.0.1:9417", "0.0.0.0:1", "10.0.0.1:65535"},
		{"9417", ":9417", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "localhost:9417", "*:9417",
			"eth0:9417", "::1:9417", "[::1]:9417", "[::]:65535", "[127.0.0.1]:9417",
			"127.0.0.1:9417,127.0.0.1:9418", "127.0.0.1:9417s", "+9417", "http://127.0.0.1:9417"});
	for (auto const *text : {"", "127.0.0.1:9417", "127.8.8.8:1"}) {
		CAPTURE(text);
		CHECK_FALSE(is_metrics_address_outside(text));
	}
	for (auto const *text : {"0.0.0.0:9417", "10.0.0.1:9417", "128.0.0.1:9417"}) {
		CAPTURE(text);
		CHECK(is_metrics_address_outside(text));
	}
}

TEST_CASE("a peer is a name or an address with a port")
{
	check_all(check_peer, {"source:6881", "10.0.0.1:1", "[2001:db8::1]:6881", "a.b-c.example:65535"},
		{"", "source", "source:0", "source:x", "2001:db8::1:6881", "so urce:1", "[x]:1", "1.2.3.4.5:1"});
}

TEST_CASE("a tracker is a URL of http, https or udp")
{
	check_all(check_tracker_url,
		{"http://t/announce", "https://t:1/a?b=c", "udp://t:6969", "udp://[::1]:6969/x"},
		{"", "t:6969", "ftp://t/", "http://", "http:///announce", "http://:80/", "udp://t",
			"udp://t/announce"});
}

TEST_CASE("a component's level names a known component and a known level")
{
	check_all(check_component_level, {"disk=debug", "session=off"},
		{"", "disk", "disk=", "=debug", "disc=debug", "disk=loud", "disk=debug=info", "disk= debug"});
}

TEST_CASE("a file mode has three or four octal digits and no special bits")
{
	check_all(check_file_mode, {"0660", "660", "0000", "0777"},
		{"", "66", "0688", "1777", "4755", "00660", "rw-", "0x1f"});
	CHECK(file_mode("0660") == 0660);
	CHECK(file_mode("640") == 0640);
}

TEST_CASE("a group is a name, a number or nothing")
{
	check_all(check_group, {"", "disk", "1000", "systemd-journal", std::string(32, 'g')},
		{"a b", "a:b", "a/b", std::string(33, 'g')});
}

TEST_CASE("a log file is an absolute path or nothing")
{
	check_all(check_path_or_empty, {"", "/var/log/ezio.log"}, {"ezio.log", "./x", "/var/log/", "/"});
}

} // namespace ezio
