#include "daemon/zap.hpp"

#include "ctl/wire/z85.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;

namespace
{

using strings = std::vector<std::string>;

std::string const known = std::string(40, '1');
access_list const clients = access_list::parse(known + " read-only one", "clients").value();

strings request(std::string const &key)
{
	return {"1.0", "17", "ezio", "10.0.0.9", "", "CURVE", wire::z85_decode(key).value()};
}

} // namespace

TEST_CASE("a key of the list is let in under its own text")
{
	auto const decision = decide_zap(request(known), clients);
	CHECK(decision.is_let_in);
	CHECK(decision.key == known);
	CHECK(decision.reply == strings{"1.0", "17", "200", "", known, ""});
}

TEST_CASE("another key is turned away in silence")
{
	auto const decision = decide_zap(request(std::string(40, '2')), clients);
	CHECK_FALSE(decision.is_let_in);
	CHECK(decision.key == std::string(40, '2'));
	CHECK(decision.address == "10.0.0.9");
	CHECK(decision.reply == strings{"1.0", "17", "300", "", "", ""});
}

TEST_CASE("whatever is no handshake with a key is turned away")
{
	auto const refused = [](strings const &asked) {
		auto const decision = decide_zap(asked, clients);
		CHECK(decision.reply.size() == 6);
		CHECK(decision.reply[2] == "300");
		return !decision.is_let_in;
	};
	CHECK(refused({}));
	CHECK(refused({"1.0"}));
	for (std::size_t i : {0u, 5u, 6u}) {
		auto asked = request(known);
		asked[i].assign(1, 'x');
		CHECK(refused(asked));
	}
	auto asked = request(known);
	asked.push_back("more");
	CHECK(refused(asked));
	asked.resize(6);
	CHECK(refused(asked));
	CHECK(refused({"1.0", "17", "ezio", "10.0.0.9", "", "NULL"}));
	CHECK(refused({"1.0", "17", "ezio", "10.0.0.9", "", "PLAIN", "user", "word"}));
}
