#include "daemon/metrics_endpoint.hpp"

#include "actors/core/unique_fd.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

using namespace ezio;

namespace
{

sockaddr_in loopback(std::uint16_t port)
{
	sockaddr_in address{};
	address.sin_family = AF_INET;
	address.sin_port = htons(port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/// bind() and connect() take the general type.
sockaddr *general(sockaddr_in &address)
{
	return reinterpret_cast<sockaddr *>(&address);
}

struct listener {
	unique_fd fd{socket(AF_INET, SOCK_STREAM, 0)};
	std::uint16_t port = 0;

	listener()
	{
		auto address = loopback(0);
		socklen_t size = sizeof(address);
		REQUIRE(bind(fd.number(), general(address), size) == 0);
		REQUIRE(listen(fd.number(), 1) == 0);
		REQUIRE(getsockname(fd.number(), general(address), &size) == 0);
		port = ntohs(address.sin_port);
	}
	std::string text() const { return "127.0.0.1:" + std::to_string(port); }
};

std::uint16_t free_port()
{
	return listener().port;
}

std::string address_of(std::uint16_t port)
{
	return "127.0.0.1:" + std::to_string(port);
}

unique_fd connected(std::uint16_t port, int receive_bytes = 0)
{
	unique_fd fd(socket(AF_INET, SOCK_STREAM, 0));
	if (receive_bytes != 0)
		setsockopt(fd.number(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	timeval const patience{20, 0};
	setsockopt(fd.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	auto address = loopback(port);
	return connect(fd.number(), general(address), sizeof(address)) == 0 ? std::move(fd) : unique_fd();
}

constexpr char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

void send_text(unique_fd const &to, std::string_view text)
{
	REQUIRE(send(to.number(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// Everything until the other side closes.
std::string answer_to(std::uint16_t port, std::string_view text = request)
{
	auto const fd = connected(port);
	REQUIRE(fd);
	send_text(fd, text);
	std::string answer;
	std::array<char, 65536> part{};
	for (;;) {
		auto const size = recv(fd.number(), part.data(), part.size(), 0);
		REQUIRE(size >= 0);
		if (size == 0)
			return answer;
		answer.append(part.data(), static_cast<std::size_t>(size));
	}
}

/// More than the kernel buffers for a client that reads nothing.
metrics_snapshot large()
{
	metrics_snapshot all;
	torrent_row row;
	row.name = std::string(metric_label_bytes_max, 'n');
	all.torrents.emplace(300, row);
	return all;
}

} // namespace

TEST_CASE("metrics are served in the text format, and nothing else is")
{
	metrics_endpoint endpoint([] { return metrics_snapshot{"1.2", "2.0", "0.17", {}, {}}; });
	auto const port = free_port();
	REQUIRE(endpoint.listen(address_of(port)));
	auto const page = answer_to(port);
	CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
	CHECK(page.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
	CHECK(page.find("\neziod_build_info{version=\"1.2\",libtorrent=\"2.0\",caf=\"0.17\"} 1\n") !=
		std::string::npos);
	for (auto const *other : {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			 "GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
			 "PUT /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n"}) {
		CAPTURE(other);
		auto const answer = answer_to(port, other);
		CHECK_FALSE(answer.starts_with("HTTP/1.1 2"));
		CHECK(answer.find("root:") == std::string::npos);
	}
}

TEST_CASE("a failure while the snapshot is taken is told, and the next one may succeed")
{
	std::atomic<bool> is_failing{true};
	metrics_endpoint endpoint([&is_failing] {
		if (is_failing)
			throw std::runtime_error("no luck");
		return metrics_snapshot{};
	});
	auto const port = free_port();
	REQUIRE(endpoint.listen(address_of(port)));
	auto const failed = answer_to(port);
	CHECK(failed.starts_with("HTTP/1.1 500 "));
	CHECK(failed.find("no luck") != std::string::npos);
	is_failing = false;
	CHECK(answer_to(port).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("an address that cannot be had is an error that says why, and the old one goes on")
{
	metrics_endpoint endpoint([] { return metrics_snapshot{}; });
	auto const port = free_port();
	REQUIRE(endpoint.listen(address_of(port)));
	listener const taken;
	auto const refused = endpoint.listen(taken.text());
	REQUIRE_FALSE(refused);
	CHECK(refused.failure().message.find(taken.text()) != std::string::npos);
	CHECK(refused.failure().message.find("Address already in use") != std::string::npos);
	CHECK(answer_to(port).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("another address replaces the old one, an empty one ends it, and the first may come again")
{
	metrics_endpoint endpoint([] { return metrics_snapshot{}; });
	auto const first = free_port();
	REQUIRE(endpoint.listen(address_of(first)));
	auto const second = free_port();
	REQUIRE(endpoint.listen(address_of(second)));
	CHECK_FALSE(connected(first));
	CHECK(answer_to(second).starts_with("HTTP/1.1 200 OK\r\n"));
	REQUIRE(endpoint.listen(""));
	CHECK_FALSE(connected(second));
	REQUIRE(endpoint.listen(address_of(first)));
	CHECK(answer_to(first).starts_with("HTTP/1.1 200 OK\r\n"));
	endpoint.close();
	CHECK_FALSE(connected(first));
	CHECK_FALSE(endpoint.listen(address_of(first)));
}

TEST_CASE("the same port may go from loopback to all addresses, or stays where it was")
{
	metrics_endpoint endpoint([] { return metrics_snapshot{}; });
	auto const port = free_port();
	REQUIRE(endpoint.listen(address_of(port)));
	// An address of documentation, which no machine has.
	auto const refused = endpoint.listen("192.0.2.1:" + std::to_string(port));
	REQUIRE_FALSE(refused);
	CHECK(refused.failure().message.find("192.0.2.1:") != std::string::npos);
	CHECK(answer_to(port).starts_with("HTTP/1.1 200 OK\r\n"));
	REQUIRE(endpoint.listen("0.0.0.0:" + std::to_string(port)));
	CHECK(answer_to(port).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("clients that hang hold up neither the others nor the end")
{
	using namespace std::chrono_literals;
	metrics_endpoint endpoint(large);
	auto const port = free_port();
	REQUIRE(endpoint.listen(address_of(port)));
	auto const silent = connected(port);
	auto const halfway = connected(port);
	send_text(halfway, "GET /metr");
	auto const unread = connected(port, 4096);
	send_text(unread, request);
	CHECK(answer_to(port).starts_with("HTTP/1.1 200 OK\r\n"));

	auto const again = connected(port, 4096);
	send_text(again, request);
	auto const silent_again = connected(port);
	auto const before = std::chrono::steady_clock::now();
	endpoint.close();
	// One wait of the server for a client, and some for a busy machine. Without a bound it would be the 30 s
	// of the library.
	CHECK(std::chrono::steady_clock::now() - before < 15s);
}

TEST_CASE("clients that ask without pause share a snapshot")
{
	std::atomic<unsigned> taken{0};
	metrics_endpoint endpoint([&taken] {
		++taken;
		return metrics_snapshot{};
	});
	auto const port = free_port();
	REQUIRE(endpoint.listen(address_of(port)));
	auto const before = std::chrono::steady_clock::now();
	unsigned asked = 0;
	for (; asked < 50; ++asked)
		answer_to(port);
	auto const passed = std::chrono::steady_clock::now() - before;
	CHECK(taken <= passed / std::chrono::milliseconds(100) + 1);
}
