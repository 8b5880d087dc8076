#include "actors/bt/swarm_messages.hpp"

#include <catch2/catch.hpp>

#include <libtorrent/bdecode.hpp>

#include <string>

using namespace ezio;

namespace
{

std::vector<char> bytes(std::initializer_list<int> values)
{
	std::vector<char> out;
	for (auto const value : values)
		out.push_back(static_cast<char>(value));
	return out;
}

listen_endpoint endpoint_of(char const *address, std::uint16_t port)
{
	auto const where = to_core(lt::make_address(address), port);
	REQUIRE(where);
	return *where;
}

} // namespace

TEST_CASE("messages about pieces are what the protocol says")
{
	CHECK(have_message(piece_index(0x01020384)) == bytes({0, 0, 0, 5, 4, 1, 2, 3, 0x84}));
	CHECK(suggest_message(piece_index(258)) == bytes({0, 0, 0, 5, 13, 0, 0, 1, 2}));
	CHECK(have_all_message() == bytes({0, 0, 0, 1, 14}));
	CHECK(reject_message(piece_index(258), 0x4000, 0x3fff) ==
		bytes({0, 0, 0, 13, 16, 0, 0, 1, 2, 0, 0, 0x40, 0, 0, 0, 0x3f, 0xff}));
	CHECK(dont_have_message(7, piece_index(258)) == bytes({0, 0, 0, 6, 20, 7, 0, 0, 1, 2}));
}

TEST_CASE("an extended message has its number before its body")
{
	auto const body = bytes({'a', 'b'});
	CHECK(extended_message(40, body) == bytes({0, 0, 0, 4, 20, 40, 'a', 'b'}));
}

TEST_CASE("a message of peer exchange has IPv4 and IPv6 apart, with as many flags as addresses")
{
	std::vector<listen_endpoint> const added{
		endpoint_of("10.0.0.1", 6881), endpoint_of("2001:db8::1", 258), endpoint_of("10.0.0.2", 1)};
	auto const body = pex_body(added);
	auto const decoded = lt::bdecode(body);
	REQUIRE(decoded.type() == lt::bdecode_node::dict_t);
	CHECK(
		decoded.dict_find_string_value("added") == std::string("\x0a\0\0\x01\x1a\xe1\x0a\0\0\x02\0\x01", 12));
	CHECK(decoded.dict_find_string_value("added.f").size() == 2);
	auto const v6 = decoded.dict_find_string_value("added6");
	REQUIRE(v6.size() == 18);
	CHECK(v6.substr(16) == "\x01\x02");
	CHECK(decoded.dict_find_string_value("added6.f").size() == 1);
}

TEST_CASE("a message of peer exchange that would add nobody is not made")
{
	CHECK(pex_body({}).empty());
}

TEST_CASE("an endpoint that others can use comes back as it was")
{
	for (auto const *const address : {"10.0.0.1", "2001:db8::1"}) {
		auto const there = endpoint_of(address, 6881);
		CHECK(to_lt(there) == lt::tcp::endpoint(lt::make_address(address), 6881));
	}
	CHECK_FALSE(to_core(lt::make_address("fe80::1"), 6881));
	CHECK_FALSE(to_core(lt::make_address("0.0.0.0"), 6881));
	CHECK_FALSE(to_core(lt::make_address("10.0.0.1"), 0));
}
