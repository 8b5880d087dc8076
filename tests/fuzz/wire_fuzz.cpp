// The control protocol: any bytes as a request, a reply and an event. What is accepted means the same after
// it was written out again.

#include "ctl/wire/base64.hpp"
#include "ctl/wire/codec.hpp"
#include "ctl/wire/protocol.hpp"
#include "tests/fuzz/must.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace
{

using namespace ezio;

void try_request(std::string_view bytes)
{
	auto const decoded = wire::decode_request(bytes);
	auto const &id = decoded.id;
	must(id.is_null() || id.is_number_integer() ||
			(id.is_string() && id.get_ref<std::string const &>().size() <= wire::id_bytes_max),
		"an id is an integer, a short string or null");
	if (!decoded.what) {
		must(!wire::encode_reply(id, decoded.what.failure()).empty(), "a refusal can be sent");
		return;
	}
	auto const again =
		wire::decode_request(wire::encode_request(id, decoded.what->verb->name, decoded.what->args));
	must(static_cast<bool>(again.what), "an accepted request is accepted again");
	must(again.id == id && again.what->verb == decoded.what->verb && again.what->args == decoded.what->args,
		"an accepted request means the same when written again");
}

void try_reply(std::string_view bytes)
{
	auto const reply = wire::decode_reply(bytes);
	if (!reply)
		return;
	if (!reply->what) {
		auto const again = wire::decode_reply(wire::encode_reply(reply->id, reply->what.failure()));
		must(again && !again->what && again->what.failure().code == reply->what.failure().code,
			"an error keeps its code");
		return;
	}
	auto const again = wire::decode_reply(wire::encode_reply(reply->id, *reply->what));
	must(again && again->what && *again->what == *reply->what, "a reply means the same when written again");
}

void try_event(std::string_view bytes)
{
	auto const event = wire::decode_event(bytes);
	if (!event)
		return;
	auto const again = wire::decode_event(wire::encode_event(*event));
	must(again && again->seq == event->seq && again->kind == event->kind && again->text == event->text &&
			again->piece == event->piece && again->failure.has_value() == event->failure.has_value(),
		"an event means the same when written again");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const *data, std::size_t size)
{
	std::string_view const bytes(reinterpret_cast<char const *>(data), size);
	try_request(bytes);
	try_reply(bytes);
	try_event(bytes);
	if (auto const decoded = wire::base64_decode(bytes))
		must(wire::base64_encode(*decoded) == bytes, "base64 is taken as it is written only");
	return 0;
}
