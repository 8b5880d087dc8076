#include "daemon/access_list.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace ezio;

namespace
{

std::string key_of(std::size_t number)
{
	auto digits = std::to_string(number);
	return std::string(40 - digits.size(), '0') + digits;
}

std::string refusal(std::string const &text)
{
	auto const list = access_list::parse(text, "clients");
	if (list)
		return "taken";
	CHECK(list.failure().code == errc::invalid_argument);
	return list.failure().message;
}

} // namespace

TEST_CASE("a list names keys, roles and owners")
{
	auto const list = access_list::parse("# who may\n\n" + key_of(1) + " full  hall 3, desk \n\t" +
			key_of(2) + " read-only monitor\r\n" + key_of(3) + " full last",
		"clients");
	REQUIRE(list);
	CHECK(list->size() == 3);
	REQUIRE(list->find(key_of(1)) != nullptr);
	CHECK(list->find(key_of(1))->role == access_role::full);
	CHECK(list->find(key_of(1))->name == "hall 3, desk");
	CHECK(list->find(key_of(2))->role == access_role::read_only);
	CHECK(list->find(key_of(2))->name == "monitor");
	CHECK(list->find(key_of(3)) != nullptr);
	CHECK(list->find(key_of(4)) == nullptr);
	CHECK(list->find("") == nullptr);
}

TEST_CASE("a list without keys lets nobody in")
{
	CHECK(access_list::parse("", "clients").value().size() == 0);
	CHECK(access_list::parse("# nobody\n", "clients").value().size() == 0);
}

TEST_CASE("a line that cannot be right refuses the list and is named")
{
	auto const good = key_of(1) + " full one\n";
	CHECK(refusal(good + "\n" + key_of(2).substr(1) + " full x").starts_with("clients:3: "));
	CHECK(refusal(key_of(1)).find("neither full nor read-only") != std::string::npos);
	CHECK(refusal(key_of(1) + " Full x").find("neither full nor read-only") != std::string::npos);
	CHECK(refusal(key_of(1) + " full").find("the name after the role is missing") != std::string::npos);
	CHECK(refusal(key_of(1) + " full " + std::string(64, 'x')) == "taken");
	CHECK(refusal(key_of(1) + " full " + std::string(65, 'x')).find("longer than") != std::string::npos);
	CHECK(refusal(key_of(1) + " full a\x1b[2J").find("printable") != std::string::npos);
	CHECK(refusal(good + good).starts_with("clients:2: the key is listed twice"));
}

TEST_CASE("a key that is commented out is not on the list")
{
	auto const list = access_list::parse(std::string("#").append(key_of(1)) + " full one", "clients");
	REQUIRE(list);
	CHECK(list->size() == 0);
}

TEST_CASE("as many keys as the limit are taken, one more is not")
{
	std::string text;
	for (std::size_t i = 0; i < access_list_keys_max; ++i)
		text += key_of(i) + " full n\n";
	CHECK(refusal(text) == "taken");
	CHECK(
		refusal(text + key_of(access_list_keys_max) + " full n").find("more than 4096") != std::string::npos);
}

TEST_CASE("a list knows whether it lacks a key of another")
{
	auto const one = access_list::parse(key_of(1) + " full a", "c").value();
	auto const both = access_list::parse(key_of(1) + " read-only a\n" + key_of(2) + " full b", "c").value();
	CHECK_FALSE(both.lacks_any_of(one));
	CHECK(one.lacks_any_of(both));
	CHECK_FALSE(one.lacks_any_of(access_list()));
}

TEST_CASE("a list that others may write is refused")
{
	std::string directory = "/tmp/ezio_access.XXXXXX";
	REQUIRE(::mkdtemp(directory.data()) != nullptr);
	auto const path = directory + "/clients";
	std::ofstream(path) << key_of(1) << " full one\n";
	for (auto const mode : {0600u, 0644u, 0440u}) {
		CAPTURE(mode);
		REQUIRE(::chmod(path.c_str(), mode) == 0);
		CHECK(access_list::read(path).value().size() == 1);
	}
	for (auto const mode : {0664u, 0646u, 0666u}) {
		CAPTURE(mode);
		REQUIRE(::chmod(path.c_str(), mode) == 0);
		CHECK(access_list::read(path).failure().code == errc::denied);
	}
	CHECK(access_list::read(directory + "/none").failure().code == errc::not_found);
	std::filesystem::remove_all(directory);
}
