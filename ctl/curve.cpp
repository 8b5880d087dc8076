#include "ctl/curve.hpp"

#include "ctl/wire/curve_key.hpp"

#include <unistd.h>
#include <zmq.h>

#include <array>
#include <utility>

namespace ezio::ctl
{

namespace
{

using key_buffer = std::array<char, wire::curve_key_chars + 1>;

error curve_failure(char const *operation)
{
	auto e = make_error(errc::unsupported, zmq_strerror(zmq_errno()));
	e.operation = operation;
	return e;
}

result<std::string> public_key_of(std::string const &secret_key)
{
	key_buffer text{};
	if (zmq_curve_public(text.data(), secret_key.c_str()) != 0)
		return curve_failure("zmq_curve_public");
	return std::string(text.data());
}

/// A file of that name comes first: a path may look like a key.
result<std::string> read_server_key(std::string const &key_or_path)
{
	if (wire::is_curve_key(key_or_path) && ::access(key_or_path.c_str(), F_OK) != 0)
		return key_or_path;
	return wire::read_key_file(key_or_path, wire::key_kind::public_key);
}

} // namespace

result<key_pair> make_key_pair()
{
	key_buffer public_key{};
	key_buffer secret_key{};
	if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
		return curve_failure("zmq_curve_keypair");
	return key_pair{public_key.data(), secret_key.data()};
}

result<std::optional<curve_keys>> read_curve_keys(daemon_endpoint const &of)
{
	if (!of.key_path && !of.server_key)
		return std::optional<curve_keys>();
	if (!of.key_path)
		return make_error(errc::invalid_argument,
			"--server-key needs --key FILE (or EZIO_KEY): this client's own secret key");
	if (!of.server_key)
		return make_error(errc::invalid_argument,
			"--key needs --server-key KEY|FILE (or EZIO_SERVER_KEY): the daemon's public key");
	auto secret = wire::read_key_file(*of.key_path, wire::key_kind::secret);
	if (!secret)
		return secret.failure();
	auto own_public = public_key_of(*secret);
	if (!own_public)
		return own_public.failure();
	auto server = read_server_key(*of.server_key);
	if (!server)
		return server.failure();
	return std::optional(curve_keys{{std::move(*own_public), std::move(*secret)}, std::move(*server)});
}

} // namespace ezio::ctl
