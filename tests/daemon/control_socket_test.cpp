#include "daemon/control_socket.hpp"

#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <zmq.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

TEST_CASE("tcp beyond loopback is for clients with keys only")
{
	CHECK(check_endpoint("tcp://127.0.0.1:5000", false));
	CHECK(check_endpoint("tcp://[::1]:5000", false));
	for (auto const *const open_to_all :
		{"tcp://0.0.0.0:5000", "tcp://*:5000", "tcp://10.0.0.1:5000", "tcp://[::]:1"}) {
		CHECK(check_endpoint(open_to_all, false).failure().code == errc::denied);
		CHECK(check_endpoint(open_to_all, true));
	}
	for (auto const has_keys : {false, true}) {
		CHECK(check_endpoint("ipc://relative", has_keys).failure().code == errc::invalid_argument);
		CHECK(check_endpoint("ipc:///" + std::string(120, 'a'), has_keys).failure().code ==
			errc::invalid_argument);
		CHECK(check_endpoint("tcp://10.0.0.1", has_keys).failure().code == errc::invalid_argument);
	}
}

namespace
{

struct keys {
	std::array<char, 41> public_key{};
	std::array<char, 41> secret_key{};
	keys() { REQUIRE(zmq_curve_keypair(public_key.data(), secret_key.data()) == 0); }
};

struct keyed_fixture : fixture {
	keys server, full, reader, stranger;

	keyed_fixture()
	{
		config.endpoint = "tcp://127.0.0.1:*";
		config.events_endpoint = "tcp://127.0.0.1:*";
		config.curve =
			curve_access{server.secret_key.data(), list({{&full, "full"}, {&reader, "read-only"}})};
	}

	static access_list list(std::vector<std::pair<keys const *, std::string>> const &who)
	{
		std::string text;
		for (auto const &[key, role] : who)
			text += std::string(key->public_key.data()) + " " + role + " somebody\n";
		return access_list::parse(text, "list").value();
	}
};

/// A client with keys; its messages are waited for so long only where none is expected.
struct keyed_client {
	void *socket;
	keyed_client(
		void *context, int type, std::string const &endpoint, keys const &own, char const *server_key)
		: socket(zmq_socket(context, type))
	{
		int const linger = 0;
		REQUIRE(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0);
		REQUIRE(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, 41) == 0);
		REQUIRE(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own.public_key.data(), 41) == 0);
		REQUIRE(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own.secret_key.data(), 41) == 0);
		if (type == ZMQ_SUB)
			REQUIRE(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) == 0);
		REQUIRE(zmq_connect(socket, endpoint.c_str()) == 0);
	}
	~keyed_client() { zmq_close(socket); }
	keyed_client(keyed_client const &) = delete;
	keyed_client &operator=(keyed_client const &) = delete;

	void send(std::string const &bytes) { REQUIRE(zmq_send(socket, bytes.data(), bytes.size(), 0) >= 0); }
	std::optional<std::string> receive(int wait_ms)
	{
		zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
		std::array<char, 65536> buffer;
		auto const got = zmq_recv(socket, buffer.data(), buffer.size(), 0);
		return got < 0 ? std::nullopt
					   : std::optional(std::string(buffer.data(), static_cast<std::size_t>(got)));
	}
	result<nlohmann::json> ask(std::string const &verb, nlohmann::json const &args = nlohmann::json::object())
	{
		send(wire::encode_request(1, verb, args));
		auto const bytes = receive(10'000);
		REQUIRE(bytes);
		return wire::decode_reply(*bytes)->what;
	}
};

constexpr int silence_ms = 700;

} // namespace

TEST_CASE_METHOD(keyed_fixture, "a key with the role full changes things, one that is read-only asks")
{
	auto const socket = open();
	REQUIRE(socket);
	auto const endpoint = (*socket)->endpoint();
	keyed_client owner(context, ZMQ_DEALER, endpoint, full, server.public_key.data());
	keyed_client monitor(context, ZMQ_DEALER, endpoint, reader, server.public_key.data());
	CHECK(owner.ask("shutdown"));
	CHECK(monitor.ask("status"));
	auto const refused = monitor.ask("shutdown");
	REQUIRE_FALSE(refused);
	CHECK(refused.failure().code == errc::denied);
	CHECK(monitor.ask("ping"));
}

TEST_CASE_METHOD(keyed_fixture, "a client without the right keys gets no answer and no event")
{
	auto const socket = open();
	REQUIRE(socket);
	auto const endpoint = (*socket)->endpoint();
	keys const other_server;
	keyed_client unknown(context, ZMQ_DEALER, endpoint, stranger, server.public_key.data());
	keyed_client deceived(context, ZMQ_DEALER, endpoint, full, other_server.public_key.data());
	keyed_client listener(context, ZMQ_SUB, (*socket)->events_endpoint(), stranger, server.public_key.data());
	client keyless(context, ZMQ_DEALER, endpoint);
	unknown.send(ping(1));
	deceived.send(ping(1));
	keyless.send({ping(1)});
	keyed_client owner(context, ZMQ_DEALER, endpoint, full, server.public_key.data());
	keyed_client subscriber(context, ZMQ_SUB, (*socket)->events_endpoint(), reader, server.public_key.data());
	CHECK(owner.ask("ping"));
	std::uint64_t sequence = 0;
	while (!subscriber.receive(20))
		(*socket)->publish(++sequence, make_event(event_kind::warning, {}, "x"));
	CHECK_FALSE(unknown.receive(silence_ms));
	CHECK_FALSE(deceived.receive(1));
	CHECK_FALSE(listener.receive(1));
	int const no_wait = 1;
	zmq_setsockopt(keyless.socket, ZMQ_RCVTIMEO, &no_wait, sizeof no_wait);
	std::array<char, 16> buffer;
	CHECK(zmq_recv(keyless.socket, buffer.data(), buffer.size(), 0) < 0);
}

TEST_CASE_METHOD(keyed_fixture, "a key that is taken away counts no more, also where it is connected")
{
	auto const socket = open();
	REQUIRE(socket);
	keyed_client owner(context, ZMQ_DEALER, (*socket)->endpoint(), full, server.public_key.data());
	keyed_client monitor(context, ZMQ_DEALER, (*socket)->endpoint(), reader, server.public_key.data());
	keyed_client stays(context, ZMQ_SUB, (*socket)->events_endpoint(), full, server.public_key.data());
	keyed_client goes(context, ZMQ_SUB, (*socket)->events_endpoint(), reader, server.public_key.data());
	CHECK(owner.ask("ping"));
	CHECK(monitor.ask("ping"));
	std::uint64_t sequence = 0;
	auto const publish = [&] { (*socket)->publish(++sequence, make_event(event_kind::warning, {}, "x")); };
	while (!goes.receive(20))
		publish();

	(*socket)->set_clients(list({{&full, "read-only"}, {&stranger, "full"}}));
	keyed_client newcomer(context, ZMQ_DEALER, (*socket)->endpoint(), stranger, server.public_key.data());
	CHECK(newcomer.ask("shutdown"));
	auto const refused = owner.ask("shutdown");
	REQUIRE_FALSE(refused);
	CHECK(refused.failure().code == errc::denied);
	monitor.send(ping(2));
	CHECK_FALSE(monitor.receive(silence_ms));
	// Both were disconnected; one comes back.
	while (stays.receive(1)) {
	}
	while (goes.receive(1)) {
	}
	while (!stays.receive(20))
		publish();
	CHECK_FALSE(goes.receive(silence_ms));
}

TEST_CASE_METHOD(keyed_fixture, "keys do not concern ipc sockets")
{
	config.endpoint = "ipc://" + directory + "/control.sock";
	auto const socket = open();
	REQUIRE(socket);
	client dealer(context, ZMQ_DEALER, config.endpoint);
	dealer.send({wire::encode_request(1, "shutdown", nlohmann::json::object())});
	CHECK(dealer.receive().what);
}
