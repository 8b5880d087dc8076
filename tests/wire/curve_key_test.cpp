#include "ctl/wire/curve_key.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace ezio;
using namespace ezio::wire;

namespace
{

// The example keys of ZeroMQ's own manual.
std::string const public_text = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
std::string const secret_text = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

struct key_directory {
	std::string path = "/tmp/ezio_keys.XXXXXX";
	key_directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
	~key_directory() { std::filesystem::remove_all(path); }
	std::string write(std::string const &text, ::mode_t mode)
	{
		auto const file = path + "/key";
		std::ofstream(file) << text;
		REQUIRE(::chmod(file.c_str(), mode) == 0);
		return file;
	}
};

errc parse_failure(std::string const &text)
{
	auto const parsed = parse_key_file(text, "server.key");
	REQUIRE_FALSE(parsed);
	CHECK(parsed.failure().message.find("server.key") != std::string::npos);
	return parsed.failure().code;
}

} // namespace

TEST_CASE("a key is forty characters of Z85")
{
	CHECK(is_curve_key(public_text));
	CHECK(is_curve_key(secret_text));
	CHECK_FALSE(is_curve_key(public_text.substr(1)));
	CHECK_FALSE(is_curve_key(public_text + "x"));
	CHECK_FALSE(is_curve_key("#000" + public_text.substr(4)));
	CHECK_FALSE(is_curve_key(""));
}

TEST_CASE("a key file has one key and any number of comments")
{
	CHECK(parse_key_file(public_text, "f").value() == public_text);
	CHECK(parse_key_file("# of the source\r\n\n  " + public_text + " \r\n# end", "f").value() == public_text);
	CHECK(parse_failure("") == errc::invalid_argument);
	CHECK(parse_failure("# nothing\n") == errc::invalid_argument);
	CHECK(parse_failure(public_text + "\n" + secret_text) == errc::invalid_argument);
	CHECK(parse_failure(public_text + " trailing") == errc::invalid_argument);
}

TEST_CASE("a key file that cannot be right is not repeated in the message")
{
	auto const parsed = parse_key_file(secret_text + "x", "server.key");
	CHECK(parsed.failure().message.find(secret_text.substr(0, 8)) == std::string::npos);
}

TEST_CASE_METHOD(
	key_directory, "a secret key that others can use is refused, one that its group reads is not")
{
	for (auto const mode : {0600u, 0400u, 0440u, 0640u}) {
		CAPTURE(mode);
		CHECK(read_key_file(write(secret_text, mode), key_kind::secret).value() == secret_text);
	}
	for (auto const mode : {0644u, 0604u, 0602u, 0620u, 0660u, 0601u, 0777u}) {
		CAPTURE(mode);
		auto const refused = read_key_file(write(secret_text, mode), key_kind::secret);
		REQUIRE_FALSE(refused);
		CHECK(refused.failure().code == errc::denied);
		CHECK(refused.failure().message.find(path) != std::string::npos);
	}
}

TEST_CASE_METHOD(key_directory, "a public key may be read by everybody but not written")
{
	CHECK(read_key_file(write(public_text, 0644), key_kind::public_key));
	CHECK(read_key_file(write(public_text, 0646), key_kind::public_key).failure().code == errc::denied);
}

TEST_CASE_METHOD(key_directory, "a file of somebody else is refused")
{
	auto const file = write(secret_text, 0600);
	constexpr ::uid_t somebody = 12345;
	if (::chown(file.c_str(), somebody, static_cast<::gid_t>(-1)) != 0) {
		WARN("not checked: giving a file away needs root");
		return;
	}
	CHECK(read_key_file(file, key_kind::secret).failure().code == errc::denied);
}

TEST_CASE_METHOD(key_directory, "what is no file, missing or too large is refused")
{
	CHECK(read_key_file(path, key_kind::secret).failure().code == errc::denied);
	CHECK(read_key_file(path + "/none", key_kind::secret).failure().code == errc::not_found);
	auto const full = "#" + std::string(key_file_bytes_max - 42, 'x') + "\n" + secret_text;
	CHECK(read_key_file(write(full, 0600), key_kind::secret).value() == secret_text);
	CHECK(read_key_file(write(full + "\n", 0600), key_kind::secret).failure().code == errc::denied);
	CHECK(::mkfifo((path + "/pipe").c_str(), 0600) == 0);
	CHECK(read_key_file(path + "/pipe", key_kind::secret).failure().code == errc::denied);
}
