#include "daemon/zap.hpp"

#include "ctl/wire/curve_key.hpp"
#include "ctl/wire/z85.hpp"

namespace ezio
{

namespace
{

enum frame : std::size_t { version, request_id, domain, address, routing_id, mechanism, credentials };

} // namespace

zap_decision decide_zap(std::vector<std::string> const &request, access_list const &clients)
{
	zap_decision decision;
	auto const id = request.size() > request_id ? request[request_id] : std::string();
	auto const is_curve = request.size() == zap_request_frames && request[version] == "1.0" &&
		request[mechanism] == "CURVE" && request[credentials].size() == wire::curve_key_bytes;
	if (is_curve) {
		decision.address = request[address];
		decision.key = wire::z85_encode(request[credentials]);
		decision.is_let_in = clients.find(decision.key) != nullptr;
	}
	decision.reply = decision.is_let_in ? std::vector<std::string>{"1.0", id, "200", "", decision.key, ""}
										: std::vector<std::string>{"1.0", id, "300", "", "", ""};
	return decision;
}

} // namespace ezio
