#include "daemon/curve_access.hpp"

#include "ctl/wire/curve_key.hpp"

#include <utility>

namespace ezio
{

result<std::optional<curve_access>> read_curve_access(
	std::string const &secret_key_path, std::string const &authorized_keys_path)
{
	if (secret_key_path.empty())
		return std::optional<curve_access>();
	auto secret = wire::read_key_file(secret_key_path, wire::key_kind::secret);
	if (!secret)
		return secret.failure();
	auto clients = access_list::read(authorized_keys_path);
	if (!clients)
		return clients.failure();
	return std::optional(curve_access{std::move(*secret), std::move(*clients)});
}

} // namespace ezio
