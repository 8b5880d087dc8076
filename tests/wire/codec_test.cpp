#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <random>
#include <string>

using namespace ezio;
using namespace ezio::wire;
using nlohmann::json;

namespace
{

errc refusal_code(std::string_view bytes)
{
	auto const decoded = decode_request(bytes);
	REQUIRE_FALSE(decoded.what);
	return decoded.what.failure().code;
}

std::string nested(std::size_t depth)
{
	// The outer object is one level and "args" another.
	return R"({"v":1,"id":1,"verb":"ping","args":{"x":)" + std::string(depth - 2, '[') +
		std::string(depth - 2, ']') + "}}";
}

error full_error()
{
	auto e = make_io_error("pwritev", "/dev/loop0", 1048576, 262144, ENOSPC);
	e.message = "no room";
	e.check = "size";
	return e;
}

} // namespace

TEST_CASE("a request survives the way through the codec")
{
	auto const bytes = encode_request("a", "status", {{"selectors", {"all"}}});
	auto const decoded = decode_request(bytes);
	REQUIRE(decoded.what);
	CHECK(decoded.id == "a");
	CHECK(decoded.what->id == "a");
	CHECK(decoded.what->verb->name == "status");
	CHECK(decoded.what->args == json{{"selectors", {"all"}}});
}

TEST_CASE("a request may leave out id and args")
{
	auto const decoded = decode_request(R"({"v":1,"verb":"ping"})");
	REQUIRE(decoded.what);
	CHECK(decoded.id.is_null());
	CHECK(decoded.what->args == json::object());
}

TEST_CASE("bytes that are no request are a protocol error")
{
	for (auto const *bytes : {"", " ", "{", "}", "[]", "1", "null", "\"x\"", "{\"v\":1,}", "{'v':1}",
			 "\xff\xfe", "{\"v\":1,\"verb\":\"ping\"} x", "{\"v\":1,\"verb\":\"pi\xff\"}", "{\"v\":1}", "{}",
			 "{\"verb\":\"ping\"}", "{\"v\":1,\"verb\":7}", "{\"v\":1,\"verb\":\"ping\",\"id\":1.5}",
			 "{\"v\":1,\"verb\":\"ping\",\"id\":[1]}", "{\"v\":1,\"verb\":\"ping\",\"more\":1}",
			 "{\"v\":1,\"verb\":\"ping\",\"id\":1e999}", "[[[[", "{\"v\":1,\"verb\":\"\\"}) {
		INFO(bytes);
		CHECK(refusal_code(bytes) == errc::protocol);
	}
}

TEST_CASE("another version is unsupported and still answered to its id")
{
	for (auto const *version : {"2", "0", "-1", "\"1\"", "1.0", "null", "[]"}) {
		INFO(version);
		auto const decoded =
			decode_request(R"({"v":)" + std::string(version) + R"(,"id":"x","verb":"ping"})");
		REQUIRE_FALSE(decoded.what);
		CHECK(decoded.what.failure().code == errc::unsupported);
		CHECK(decoded.id == "x");
	}
}

TEST_CASE("an unknown verb is named and still answered to its id")
{
	auto const decoded = decode_request(R"({"v":1,"id":5,"verb":"explode"})");
	REQUIRE_FALSE(decoded.what);
	CHECK(decoded.what.failure() == make_error(errc::invalid_argument, "unknown verb \"explode\""));
	CHECK(decoded.id == 5);
}

TEST_CASE("an id is echoed up to its limit and then refused")
{
	auto const with = [](std::size_t size) {
		return decode_request(encode_request(std::string(size, 'i'), "ping", json::object()));
	};
	CHECK(with(id_bytes_max).what);
	auto const long_id = with(id_bytes_max + 1);
	REQUIRE_FALSE(long_id.what);
	CHECK(long_id.what.failure().code == errc::protocol);
	CHECK(long_id.id.is_null());
}

TEST_CASE("nesting is accepted up to the limit and refused beyond")
{
	CHECK(refusal_code(nested(depth_max)) == errc::invalid_argument); // only the argument is unknown
	CHECK(refusal_code(nested(depth_max + 1)) == errc::protocol);
	CHECK(refusal_code(std::string(1 << 20, '[')) == errc::protocol);
}

TEST_CASE("brackets in strings are no nesting")
{
	auto const decoded =
		decode_request(encode_request(1, "status", {{"selectors", {std::string(100, '[') + "\"\\" + "{"}}}));
	CHECK(decoded.what);
}

TEST_CASE("a request is accepted up to the number of values and refused beyond")
{
	json keys = json::array();
	for (int i = 0; i < 60000; ++i)
		keys.push_back("");
	CHECK(decode_request(encode_request(1, "get", {{"keys", keys}})).what);
	for (int i = 0; i < 10000; ++i)
		keys.push_back("");
	CHECK(refusal_code(encode_request(1, "get", {{"keys", keys}})) == errc::protocol);
}

TEST_CASE("a request is read up to its size limit and refused beyond")
{
	std::string bytes = R"({"v":1,"verb":"ping"})";
	bytes.resize(request_bytes_max, ' ');
	CHECK(decode_request(bytes).what);
	bytes += ' ';
	CHECK(refusal_code(bytes) == errc::protocol);
}

TEST_CASE("random damage to a request never does more than fail")
{
	auto const seed = std::random_device{}();
	INFO("seed " << seed);
	std::mt19937 random(seed);
	auto const good =
		encode_request("id", "add", {{"torrent_base64", "Zm9v"}, {"target", "/x"}, {"uploads_max", 7}});
	std::size_t refused = 0;
	for (int round = 0; round < 5000; ++round) {
		auto bytes = good;
		for (auto damages = 1 + random() % 4; damages > 0; --damages)
			bytes[random() % bytes.size()] = static_cast<char>(random());
		bytes.resize(bytes.size() - random() % 3);
		auto const decoded = decode_request(bytes);
		refused += decoded.what ? 0 : 1;
		// The answer can always be written and read.
		if (!decoded.what)
			REQUIRE(decode_reply(encode_reply(decoded.id, decoded.what.failure())));
	}
	CHECK(refused > 0);
}

TEST_CASE("a reply survives the way through the codec")
{
	auto const decoded = decode_reply(encode_reply(7, json{{"pong", true}}));
	REQUIRE(decoded);
	CHECK(decoded->id == 7);
	REQUIRE(decoded->what);
	CHECK(*decoded->what == json{{"pong", true}});
}

TEST_CASE("an error survives the way with its whole story")
{
	auto const decoded = decode_reply(encode_reply("x", full_error()));
	REQUIRE(decoded);
	REQUIRE_FALSE(decoded->what);
	CHECK(decoded->what.failure() == full_error());
}

TEST_CASE("an error on the wire says everything in words and in fields")
{
	json const expected{{"code", "io-error"}, {"message", "no room"},
		{"text",
			"pwritev /dev/loop0 offset 1048576 length 262144: no room: ENOSPC (No space left on device)"},
		{"context",
			{{"operation", "pwritev"}, {"device", "/dev/loop0"}, {"offset_bytes", 1048576},
				{"length_bytes", 262144}, {"errno", 28}, {"errno_name", "ENOSPC"}, {"check", "size"}}}};
	CHECK(error_to_json(full_error()) == expected);
	CHECK(error_to_json(std::optional<error>()) == nullptr);
}

TEST_CASE("an error of an unknown code keeps its name")
{
	auto const e = error_from_json({{"code", "too-new"}, {"message", "m"}});
	CHECK(e.code == errc::internal);
	CHECK(e.message == "(too-new) m");
}

TEST_CASE("a reply that is none is a protocol error")
{
	for (auto const *bytes : {"", "{}", "[]", R"({"v":1,"id":1})", R"({"v":1,"id":1,"ok":1,"result":{}})",
			 R"({"v":1,"id":1,"ok":true})", R"({"v":1,"id":1,"ok":true,"result":[]})",
			 R"({"v":1,"id":1,"ok":false,"result":{}})", R"({"v":2,"id":1,"ok":true,"result":{}})"}) {
		INFO(bytes);
		auto const decoded = decode_reply(bytes);
		REQUIRE_FALSE(decoded);
		CHECK(decoded.failure().code == errc::protocol);
	}
}

TEST_CASE("text that is not UTF-8 is sent with a replacement instead of failing")
{
	auto const bytes = encode_reply(1, json{{"name", "a\xff"}});
	auto const decoded = decode_reply(bytes);
	REQUIRE(decoded);
	REQUIRE(decoded->what);
	CHECK((*decoded->what)["name"] == "a\xef\xbf\xbd");
}

TEST_CASE("an event survives the way through the codec")
{
	event_message event;
	event.seq = 17;
	event.kind = "torrent-state";
	event.unix_ms = 1700000000000;
	event.info_hash = std::string(40, 'a');
	event.text = "t";
	event.key = "k";
	event.old_value = "downloading";
	event.new_value = "syncing";
	event.peer = "10.0.0.1:1";
	event.piece = 3;
	event.failure = full_error();
	auto const decoded = decode_event(encode_event(event));
	REQUIRE(decoded);
	CHECK(decoded->seq == 17);
	CHECK(decoded->kind == "torrent-state");
	CHECK(decoded->unix_ms == 1700000000000);
	CHECK(decoded->info_hash == event.info_hash);
	CHECK(decoded->text == "t");
	CHECK(decoded->key == "k");
	CHECK(decoded->old_value == "downloading");
	CHECK(decoded->new_value == "syncing");
	CHECK(decoded->peer == "10.0.0.1:1");
	CHECK(decoded->piece == 3u);
	CHECK(decoded->failure == full_error());
}

TEST_CASE("an event without piece and error has nulls there")
{
	event_message event;
	event.seq = 1;
	event.kind = "warning";
	auto const object = json::parse(encode_event(event));
	CHECK(object.at("piece") == nullptr);
	CHECK(object.at("error") == nullptr);
	auto const decoded = decode_event(encode_event(event));
	REQUIRE(decoded);
	CHECK_FALSE(decoded->piece);
	CHECK_FALSE(decoded->failure);
}

TEST_CASE("an event that is none is a protocol error")
{
	for (auto const *bytes : {"", "{}", "x", R"({"v":1,"kind":"a"})", R"({"v":1,"seq":1})",
			 R"({"v":1,"seq":-1,"kind":"a"})", R"({"v":2,"seq":1,"kind":"a"})"}) {
		INFO(bytes);
		auto const decoded = decode_event(bytes);
		REQUIRE_FALSE(decoded);
		CHECK(decoded.failure().code == errc::protocol);
	}
}
