#include "ctl/fleet_nodes.hpp"
#include "tests/ctl/fake_daemon.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;

namespace
{

daemon_endpoint const defaults{"ipc:///unused", "/k/desk.key", "/k/server.pub"};

std::string fault(std::string const &text)
{
	auto const nodes = parse_fleet(text, "lab", defaults);
	return nodes ? std::string("accepted") : to_string(nodes.failure());
}

std::string url(std::string const &word)
{
	auto const nodes = read_fleet(word, defaults);
	return nodes && nodes->size() == 1 ? nodes->front().daemon.url : std::string("refused");
}

} // namespace

TEST_CASE("a file of nodes: a line each, comments and empty lines aside")
{
	auto const nodes = parse_fleet("# hall 3\n\nn1 tcp://10.0.0.1:5000 #Z85#key\n  n2\t10.0.0.2:7\nn3\n"
								   "n4 ipc:///run/n4",
		"lab", defaults);
	REQUIRE(nodes);
	REQUIRE(nodes->size() == 4);
	CHECK((*nodes)[0].name == "n1");
	CHECK((*nodes)[0].daemon.url == "tcp://10.0.0.1:5000");
	CHECK((*nodes)[0].daemon.server_key == "#Z85#key");
	CHECK((*nodes)[0].daemon.key_path == "/k/desk.key");
	CHECK((*nodes)[1].daemon.url == "tcp://10.0.0.2:7");
	CHECK((*nodes)[1].daemon.server_key == "/k/server.pub");
	CHECK((*nodes)[2].daemon.url == "tcp://n3:5555");
	CHECK((*nodes)[3].daemon.url == "ipc:///run/n4");
}

TEST_CASE("hosts, ports and URLs become endpoints")
{
	CHECK(url("lab7") == "tcp://lab7:5555");
	CHECK(url("lab7:6000") == "tcp://lab7:6000");
	CHECK(url("[fe80::1]") == "tcp://[fe80::1]:5555");
	CHECK(url("[fe80::1]:6000") == "tcp://[fe80::1]:6000");
	CHECK(url("tcp://lab7") == "tcp://lab7:5555");
	CHECK(url("ipc:///run/x") == "ipc:///run/x");
	CHECK(url("fe80::1") == "refused");
	CHECK(url("lab7:") == "refused");
	CHECK(url(":5555") == "refused");
	CHECK(url("http://lab7") == "refused");
	CHECK(url("ipc://") == "refused");
}

TEST_CASE("a list of nodes is taken apart at its commas")
{
	auto const nodes = read_fleet("a,b:1,,ipc:///c", defaults);
	REQUIRE(nodes);
	REQUIRE(nodes->size() == 3);
	CHECK((*nodes)[1].name == "b:1");
	CHECK((*nodes)[2].daemon.url == "ipc:///c");
	CHECK_FALSE(read_fleet(",", defaults));
}

TEST_CASE("a list of nodes that cannot be right is refused with its line")
{
	CHECK(fault("a x y z\n") == "lab line 1: expected NAME [ENDPOINT [SERVER-KEY]]");
	CHECK(fault("# c\na\na 10.0.0.1\n") == "lab line 3: the name \"a\" is there twice");
	CHECK(fault("a 10.0.0.1\nb 10.0.0.1:5555\n") ==
		"lab line 2: tcp://10.0.0.1:5555 is the endpoint of \"a\" already");
	CHECK(fault("a http://b\n") ==
		"lab line 1: \"http://b\": expected HOST, HOST:PORT, tcp://HOST:PORT or ipc://PATH");
	CHECK(fault("# only\n") == "lab names no node");
}

TEST_CASE("a file that is named but not there is no host")
{
	auto const missing = read_fleet("labs/hall3", defaults);
	REQUIRE_FALSE(missing);
	CHECK(missing.failure().code == errc::not_found);
	scratch_dir const directory;
	auto const unreadable = read_fleet(directory.path("."), defaults);
	REQUIRE_FALSE(unreadable);
	CHECK(unreadable.failure().code == errc::invalid_argument);
	std::ofstream(directory.path("f")) << "one ipc:///one\n";
	auto const nodes = read_fleet(directory.path("f"), defaults);
	REQUIRE(nodes);
	CHECK(nodes->front().name == "one");
}
