#include "ctl/run.hpp"

#include "ctl/event_source.hpp"
#include "ctl/render.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using namespace std::chrono_literals;
using wire::exit_status;

namespace
{

/// A publisher that dies is silent, as one with nothing to say is.
constexpr auto silence_before_ping = 5s;

std::vector<std::string> split(std::string_view words)
{
	std::vector<std::string> list;
	while (!words.empty()) {
		auto const comma = words.find(',');
		if (comma != 0)
			list.emplace_back(words.substr(0, comma));
		words = comma == std::string_view::npos ? std::string_view() : words.substr(comma + 1);
	}
	return list;
}

/// Reports what is missing between two events.
void check_sequence(command_context const &context, std::uint64_t last, std::uint64_t seq)
{
	if (last == 0 || seq == last + 1)
		return;
	auto const is_restart = seq <= last;
	auto const lost = is_restart ? 0 : seq - last - 1;
	if (context.settings.is_json) {
		print_document(context, is_restart ? json{{"restarted", true}} : json{{"lost", lost}});
		return;
	}
	flush_output(context);
	if (is_restart)
		*context.io.err << "ezioctl: the daemon was restarted\n";
	else
		*context.io.err << "ezioctl: " << lost << " events lost\n";
}

json event_document(wire::event_message const &event)
{
	auto document = json::parse(wire::encode_event(event), nullptr, false);
	document.erase("v");
	return document;
}

} // namespace

handler_result run_events(command_context const &context)
{
	auto const &io = context.io;
	auto const kinds = split(context.line.value("--filter").value_or(""));
	auto const is_following = context.line.has("--follow");
	auto const has_end = context.settings.timeout.has_value();
	auto const end = deadline_in(context.settings.timeout, request_time);
	auto connection = client::open(context.settings.endpoint, end, *io.interrupted);
	if (!connection)
		return connection.failure();
	auto stream = subscribe(*connection, context.settings.endpoint, *io.interrupted, end);
	if (!stream)
		return stream.failure();

	std::uint64_t last = 0;
	for (;;) {
		auto const quiet_end = clock::now() + silence_before_ping;
		auto const event = stream->next(has_end ? std::min(end, quiet_end) : quiet_end);
		if (!event && event.failure().code != errc::protocol)
			return event.failure();
		if (has_end && clock::now() >= end)
			return make_error(errc::timed_out, is_following ? "the time is over" : "no event in time");
		if (!event) {
			*io.err << "ezioctl: " << to_string(event.failure()) << "\n";
			continue;
		}
		if (!*event) {
			auto const pong = connection->call("ping", json::object(), clock::now() + request_time);
			if (!pong)
				return pong.failure();
			continue;
		}
		auto const &message = **event;
		check_sequence(context, last, message.seq);
		last = message.seq;
		if (!kinds.empty() && std::ranges::find(kinds, message.kind) == kinds.end())
			continue;
		if (context.settings.is_json)
			print_document(context, event_document(message));
		else
			*io.out << render_event(message, context.settings.use_colour);
		if (!flush_output(context) || !is_following)
			return exit_status::done;
	}
}

} // namespace ezio::ctl
