#include "ctl/wire/codec.hpp"

#include "ctl/wire/protocol.hpp"

#include <utility>

namespace ezio::wire
{

using nlohmann::json;

namespace
{

error broken(std::string message)
{
	return make_error(errc::protocol, std::move(message));
}

/// Bounds depth and number of values before anything is built from the bytes. Brackets in strings do not
/// count; whether it is JSON at all is the parser's question.
result<void> check_shape(std::string_view bytes, std::size_t values_max)
{
	std::size_t depth = 0;
	std::size_t values = 0;
	bool is_in_string = false;
	for (std::size_t i = 0; i < bytes.size(); ++i) {
		auto const c = bytes[i];
		if (is_in_string) {
			if (c == '\\')
				++i;
			else if (c == '"')
				is_in_string = false;
			continue;
		}
		switch (c) {
		case '"':
			is_in_string = true;
			break;
		case '[':
		case '{':
			if (++depth > depth_max)
				return broken("nested deeper than " + std::to_string(depth_max));
			++values;
			break;
		case ']':
		case '}':
			if (depth > 0)
				--depth;
			break;
		case ',':
			++values;
			break;
		default:
			break;
		}
		if (values > values_max)
			return broken("more than " + std::to_string(values_max) + " values");
	}
	return {};
}

result<json> parse_object(std::string_view bytes, std::size_t bytes_max, std::size_t values_max)
{
	if (bytes.size() > bytes_max)
		return broken("a message of " + std::to_string(bytes.size()) + " bytes; at most " +
			std::to_string(bytes_max) + " are allowed");
	auto const shape = check_shape(bytes, values_max);
	if (!shape)
		return shape.failure();
	try {
		auto value = json::parse(bytes.begin(), bytes.end());
		if (!value.is_object())
			return broken("not a JSON object");
		return value;
	} catch (json::parse_error const &e) {
		// Its text quotes the message, however long.
		return broken("not JSON: fault at byte " + std::to_string(e.byte));
	} catch (json::exception const &) {
		return broken("not JSON: a number is out of range");
	}
}

/// The member's text; empty if there is none.
std::string text_of(json const &object, char const *name)
{
	auto const found = object.find(name);
	return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> number_of(json const &object, char const *name)
{
	auto const found = object.find(name);
	if (found == object.end() || !found->is_number_unsigned())
		return std::nullopt;
	return found->get<std::uint64_t>();
}

bool is_version(json const &object)
{
	return number_of(object, "v") == std::uint64_t{protocol_version};
}

/// The id, or null if it cannot be one.
json usable_id(json const &object)
{
	auto const found = object.find("id");
	if (found == object.end())
		return nullptr;
	if (found->is_number_integer())
		return *found;
	if (found->is_string() && found->get_ref<std::string const &>().size() <= id_bytes_max)
		return *found;
	return nullptr;
}

result<request> check_request(json &object, json const &id)
{
	if (!object.contains("v"))
		return broken("\"v\" is missing");
	if (!is_version(object))
		return make_error(errc::unsupported,
			"this daemon speaks version " + std::to_string(protocol_version) + " of the protocol only");
	for (auto const &[name, value] : object.items()) {
		if (name != "v" && name != "id" && name != "verb" && name != "args")
			return broken("unknown member \"" + name.substr(0, 64) + "\"");
	}
	auto const given_id = object.find("id");
	if (given_id != object.end() && id.is_null() && !given_id->is_null())
		return broken(
			"\"id\" must be an integer or a string of at most " + std::to_string(id_bytes_max) + " bytes");
	auto const name = object.find("verb");
	if (name == object.end() || !name->is_string())
		return broken("\"verb\" must be a string");

	request r;
	r.id = id;
	r.verb = find_verb(name->get_ref<std::string const &>());
	if (r.verb == nullptr)
		return make_error(errc::invalid_argument,
			"unknown verb \"" + name->get_ref<std::string const &>().substr(0, 64) + "\"");
	auto const args = object.find("args");
	r.args = args == object.end() ? json::object() : std::move(*args);
	auto const checked = check_args(*r.verb, r.args);
	if (!checked)
		return checked.failure();
	return r;
}

} // namespace

std::string to_text(json const &value, int indent)
{
	return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

decoded_request decode_request(std::string_view bytes)
{
	auto object = parse_object(bytes, request_bytes_max, request_values_max);
	if (!object)
		return {nullptr, object.failure()};
	auto id = usable_id(*object);
	auto checked = check_request(*object, id);
	return {std::move(id), std::move(checked)};
}

std::string encode_request(json const &id, std::string_view verb, json const &args)
{
	return to_text(json{{"v", protocol_version}, {"id", id}, {"verb", verb}, {"args", args}});
}

std::string encode_reply(json const &id, json const &value)
{
	return to_text(json{{"v", protocol_version}, {"id", id}, {"ok", true}, {"result", value}});
}

std::string encode_reply(json const &id, error const &failure)
{
	return to_text(
		json{{"v", protocol_version}, {"id", id}, {"ok", false}, {"error", error_to_json(failure)}});
}

result<reply> decode_reply(std::string_view bytes)
{
	auto object = parse_object(bytes, reply_bytes_max, reply_values_max);
	if (!object)
		return object.failure();
	if (!is_version(*object))
		return broken("the reply is not of protocol version " + std::to_string(protocol_version));
	auto const ok = object->find("ok");
	if (ok == object->end() || !ok->is_boolean())
		return broken("the reply does not say whether it is ok");
	auto id = usable_id(*object);
	auto const is_ok = ok->get<bool>();
	auto const content = object->find(is_ok ? "result" : "error");
	if (content == object->end() || !content->is_object())
		return broken(is_ok ? "the reply has no result" : "the reply has no error");
	if (!is_ok)
		return reply{std::move(id), error_from_json(*content)};
	return reply{std::move(id), std::move(*content)};
}

json error_to_json(error const &e)
{
	auto context = json::object();
	if (!e.operation.empty())
		context["operation"] = e.operation;
	if (!e.device.empty())
		context["device"] = e.device;
	if (e.offset_bytes)
		context["offset_bytes"] = *e.offset_bytes;
	if (e.length_bytes)
		context["length_bytes"] = *e.length_bytes;
	if (e.os_errno != 0) {
		context["errno"] = e.os_errno;
		context["errno_name"] = errno_name(e.os_errno);
	}
	if (!e.check.empty())
		context["check"] = e.check;
	return json{{"code", to_string(e.code)}, {"message", e.message}, {"text", to_string(e)},
		{"context", std::move(context)}};
}

json error_to_json(std::optional<error> const &e)
{
	return e ? error_to_json(*e) : json(nullptr);
}

error error_from_json(json const &value)
{
	if (!value.is_object())
		return broken("an error that is no object");
	auto const code_name = text_of(value, "code");
	auto const code = errc_from_string(code_name);
	auto e = make_error(code.value_or(errc::internal), text_of(value, "message"));
	if (!code)
		e.message = "(" + code_name.substr(0, 64) + ") " + e.message;
	auto const context = value.find("context");
	if (context == value.end() || !context->is_object())
		return e;
	e.operation = text_of(*context, "operation");
	e.device = text_of(*context, "device");
	e.offset_bytes = number_of(*context, "offset_bytes");
	e.length_bytes = number_of(*context, "length_bytes");
	auto const os_errno = number_of(*context, "errno");
	if (os_errno && *os_errno <= 4095) // Linux's largest
		e.os_errno = static_cast<int>(*os_errno);
	e.check = text_of(*context, "check");
	return e;
}

std::string encode_event(event_message const &event)
{
	return to_text(json{{"v", protocol_version}, {"seq", event.seq}, {"kind", event.kind},
		{"unix_ms", event.unix_ms}, {"info_hash", event.info_hash}, {"text", event.text}, {"key", event.key},
		{"old", event.old_value}, {"new", event.new_value}, {"peer", event.peer},
		{"piece", event.piece ? json(*event.piece) : json(nullptr)},
		{"error", error_to_json(event.failure)}});
}

result<event_message> decode_event(std::string_view bytes)
{
	auto const object = parse_object(bytes, event_bytes_max, request_values_max);
	if (!object)
		return object.failure();
	if (!is_version(*object))
		return broken("the event is not of protocol version " + std::to_string(protocol_version));
	auto const seq = number_of(*object, "seq");
	event_message event;
	event.kind = text_of(*object, "kind");
	if (!seq || event.kind.empty())
		return broken("the event has no number or no kind");
	event.seq = *seq;
	event.unix_ms = number_of(*object, "unix_ms").value_or(0);
	event.info_hash = text_of(*object, "info_hash");
	event.text = text_of(*object, "text");
	event.key = text_of(*object, "key");
	event.old_value = text_of(*object, "old");
	event.new_value = text_of(*object, "new");
	event.peer = text_of(*object, "peer");
	auto const piece = number_of(*object, "piece");
	if (piece && *piece <= 0xffffffffu)
		event.piece = static_cast<std::uint32_t>(*piece);
	auto const failure = object->find("error");
	if (failure != object->end() && !failure->is_null())
		event.failure = error_from_json(*failure);
	return event;
}

} // namespace ezio::wire
