#include "daemon/control_socket.hpp"

#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <zmq.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ezio;

namespace
{

struct fixture {
	std::string directory = "/tmp/ezio_socket.XXXXXX";
	control_socket_config config;
	void *context = zmq_ctx_new();

	fixture()
	{
		REQUIRE(mkdtemp(directory.data()) != nullptr);
		config.endpoint = "ipc://" + directory + "/control.sock";
		config.events_endpoint = "ipc://" + directory + "/events.sock";
	}
	~fixture()
	{
		zmq_ctx_term(context);
		std::filesystem::remove_all(directory);
	}

	result<std::unique_ptr<control_socket>> open()
	{
		return control_socket::open(
			config, [](control_request const &, std::function<void(control_reply)> answer) {
				answer(control_answer(ping_reply{}));
			});
	}
};

struct client {
	void *socket;
	client(void *context, int type, std::string const &endpoint) : socket(zmq_socket(context, type))
	{
		int const linger = 0, wait_ms = 10'000;
		zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
		zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
		REQUIRE(zmq_connect(socket, endpoint.c_str()) == 0);
	}
	~client() { zmq_close(socket); }
	client(client const &) = delete;
	client &operator=(client const &) = delete;

	void send(std::vector<std::string> const &frames)
	{
		for (std::size_t i = 0; i < frames.size(); ++i)
			REQUIRE(zmq_send(socket, frames[i].data(), frames[i].size(),
						i + 1 < frames.size() ? ZMQ_SNDMORE : 0) >= 0);
	}
	std::string receive_frame()
	{
		std::array<char, 65536> buffer;
		auto const got = zmq_recv(socket, buffer.data(), buffer.size(), 0);
		REQUIRE(got >= 0);
		return {buffer.data(), static_cast<std::size_t>(got)};
	}
	wire::reply receive()
	{
		auto const reply = wire::decode_reply(receive_frame());
		REQUIRE(reply);
		return *reply;
	}
};

std::string ping(int id)
{
	return wire::encode_request(id, "ping", nlohmann::json::object());
}

} // namespace

TEST_CASE_METHOD(fixture, "a request with and without delimiter is answered in kind")
{
	auto const socket = open();
	REQUIRE(socket);
	client plain(context, ZMQ_DEALER, config.endpoint);
	plain.send({ping(1)});
	CHECK(plain.receive().id == 1);
	plain.send({"", ping(2)});
	CHECK(plain.receive_frame().empty());
	CHECK(plain.receive().id == 2);
}

TEST_CASE_METHOD(
	fixture, "rubbish, unknown verbs and too many frames get an error, and the next request its answer")
{
	auto const socket = open();
	REQUIRE(socket);
	client dealer(context, ZMQ_DEALER, config.endpoint);
	dealer.send({"{rubbish"});
	CHECK(dealer.receive().what.failure().code == errc::protocol);
	dealer.send({R"({"v":1,"id":"x","verb":"dance"})"});
	auto const unknown = dealer.receive();
	CHECK(unknown.id == "x");
	CHECK(unknown.what.failure().code == errc::invalid_argument);
	dealer.send({ping(1), ping(2), ping(3), ping(4)});
	CHECK(dealer.receive().what.failure().code == errc::protocol);
	dealer.send({ping(5)});
	CHECK(dealer.receive().id == 5);
}

TEST_CASE_METHOD(fixture, "an oversized frame costs its sender the connection and others nothing")
{
	auto const socket = open();
	REQUIRE(socket);
	client big(context, ZMQ_DEALER, config.endpoint);
	big.send({std::string(wire::request_bytes_max + 8192, 'x')});
	client small(context, ZMQ_DEALER, config.endpoint);
	small.send({ping(1)});
	CHECK(small.receive().id == 1);
}

TEST_CASE_METHOD(fixture, "the socket file has the configured mode and is gone afterwards")
{
	config.access.mode = 0600;
	auto socket = open();
	REQUIRE(socket);
	struct stat there = {};
	REQUIRE(stat((directory + "/control.sock").c_str(), &there) == 0);
	CHECK((there.st_mode & 0777) == 0600);
	socket->reset();
	CHECK_FALSE(std::filesystem::exists(directory + "/control.sock"));
}

TEST_CASE_METHOD(fixture, "a second daemon on the same path is refused and the first goes on")
{
	auto const first = open();
	REQUIRE(first);
	auto const second = open();
	REQUIRE_FALSE(second);
	CHECK(second.failure().code == errc::already_exists);
	client dealer(context, ZMQ_DEALER, config.endpoint);
	dealer.send({ping(1)});
	CHECK(dealer.receive().id == 1);
}

TEST_CASE_METHOD(fixture, "a file in the socket's place is left alone")
{
	std::ofstream(directory + "/control.sock") << "precious";
	CHECK(open().failure().code == errc::already_exists);
	CHECK(std::filesystem::file_size(directory + "/control.sock") == 8);
}

TEST_CASE("tcp is for loopback only")
{
	CHECK(check_endpoint("tcp://127.0.0.1:5000"));
	CHECK(check_endpoint("tcp://[::1]:5000"));
	for (auto const *const open_to_all :
		{"tcp://0.0.0.0:5000", "tcp://*:5000", "tcp://10.0.0.1:5000", "tcp://[::]:1"})
		CHECK(check_endpoint(open_to_all).failure().code == errc::denied);
	CHECK(check_endpoint("ipc://relative").failure().code == errc::invalid_argument);
	CHECK(check_endpoint("ipc:///" + std::string(120, 'a')).failure().code == errc::invalid_argument);
}
