#include "ctl/run.hpp"

#include "ctl/render.hpp"
#include "ctl/render_report.hpp"
#include "ctl/text_format.hpp"
#include "ctl/wire/protocol.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <ostream>
#include <poll.h>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using wire::exit_status;

namespace
{

/// A verb whose reply is printed as it comes, or by @p render.
template <class Render>
handler_result ask_and_print(
	command_context const &context, std::string_view verb, json const &args, Render const &render)
{
	auto reply = ask(context, verb, args);
	if (!reply)
		return reply.failure();
	if (context.settings.is_json)
		print_document(context, std::move(*reply));
	else
		*context.io.out << render(*reply);
	return exit_status::done;
}

handler_result run_selected(command_context const &context)
{
	return ask_and_print(context, context.line.command->name, {{"selectors", selectors_of(context.line)}},
		[](json const &reply) {
			std::string lines;
			auto const found = reply.find("info_hashes");
			if (found != reply.end()) {
				for (auto const &hash : *found)
					lines += hash.is_string() ? printable(hash.get_ref<std::string const &>()) + "\n" : "";
			}
			return lines;
		});
}

handler_result run_peers(command_context const &context)
{
	return ask_and_print(context, "peers", {{"selectors", selectors_of(context.line)}},
		[&](json const &reply) { return render_peers(reply, context.settings.use_colour); });
}

handler_result run_report(command_context const &context)
{
	return ask_and_print(context, "report", {{"selectors", selectors_of(context.line)}}, render_report);
}

handler_result run_set(command_context const &context)
{
	json args{{"key", context.line.operands[0]}, {"value", context.line.operands[1]}};
	if (context.line.has("--save"))
		args["save"] = true;
	return ask_and_print(context, "set", args, [](json const &reply) {
		auto const active = reply.find("active");
		return render_change(reply, active != reply.end() && active->is_boolean() && active->get<bool>());
	});
}

handler_result run_get(command_context const &context)
{
	return ask_and_print(context, "get", {{"keys", context.line.operands}}, render_values);
}

handler_result run_settings(command_context const &context)
{
	return ask_and_print(context, "get", {{"keys", context.line.operands}},
		[&](json const &reply) { return render_settings(reply, context.settings.use_colour); });
}

handler_result run_reload(command_context const &context)
{
	return ask_and_print(context, "reload", json::object(), render_reload);
}

handler_result run_stats(command_context const &context)
{
	return ask_and_print(context, "stats", json::object(),
		[&](json const &reply) { return render_stats(reply, context.settings.use_colour); });
}

handler_result run_shutdown(command_context const &context)
{
	return ask_and_print(
		context, "shutdown", json::object(), [](json const &) { return "eziod is stopping\n"; });
}

handler_result run_ping(command_context const &context)
{
	return ask_and_print(context, "ping", json::object(), [](json const &) { return "pong\n"; });
}

handler_result run_version(command_context const &context)
{
	json document{{"client", {{"version", EZIO_VERSION}, {"protocol", wire::protocol_version}}}};
	if (!context.settings.is_json)
		*context.io.out << "ezioctl " EZIO_VERSION << ", protocol " << wire::protocol_version << "\n";
	auto reply = ask(context, "version", json::object());
	if (!reply)
		return reply.failure();
	if (context.settings.is_json) {
		document["daemon"] = std::move(*reply);
		print_document(context, std::move(document));
		return exit_status::done;
	}
	auto const shown = [&reply](char const *name) {
		auto const found = reply->find(name);
		if (found == reply->end())
			return std::string("-");
		return found->is_string() ? printable(found->get_ref<std::string const &>()) : wire::to_text(*found);
	};
	auto const uptime = reply->find("uptime_ms");
	*context.io.out << "eziod " << shown("version") << ", protocol " << shown("protocol") << ", libtorrent "
					<< shown("libtorrent") << ", CAF " << shown("caf") << ", pid " << shown("pid") << ", up "
					<< format_duration(uptime != reply->end() && uptime->is_number_unsigned()
							   ? uptime->get<std::uint64_t>() / 1000
							   : 0)
					<< "\n";
	return exit_status::done;
}

struct handler_entry {
	std::string_view verb;
	handler function;
};
constexpr auto handlers = std::to_array<handler_entry>({
	{"status", run_status},
	{"top", run_top},
	{"add", run_add},
	{"pause", run_selected},
	{"resume", run_selected},
	{"remove", run_selected},
	{"verify", run_selected},
	{"warm", run_selected},
	{"tune", run_tune},
	{"reannounce", run_selected},
	{"peers", run_peers},
	{"report", run_report},
	{"set", run_set},
	{"get", run_get},
	{"settings", run_settings},
	{"reload", run_reload},
	{"stats", run_stats},
	{"events", run_events},
	{"wait", run_wait},
	{"create", run_create},
	{"inspect", run_inspect},
	{"fleet", run_fleet},
	{"keygen", run_keygen},
	{"shutdown", run_shutdown},
	{"version", run_version},
	{"ping", run_ping},
});

result<global_settings> read_globals(invocation const &line, environment const &env, console const &io)
{
	global_settings settings;
	settings.endpoint.url = line.value("--endpoint").value_or(env.endpoint.value_or(wire::default_endpoint));
	settings.endpoint.key_path = line.value("--key");
	if (!settings.endpoint.key_path)
		settings.endpoint.key_path = env.key;
	settings.endpoint.server_key = line.value("--server-key");
	if (!settings.endpoint.server_key)
		settings.endpoint.server_key = env.server_key;
	auto const timeout = line.seconds("--timeout");
	if (!timeout)
		return timeout.failure();
	if (*timeout)
		settings.timeout = std::chrono::duration<double>(**timeout);
	settings.is_json = line.has("--json");
	settings.use_colour = io.is_out_terminal && !settings.is_json && !line.has("--no-color") && !env.no_color;
	return settings;
}

int fail(error const &e, bool is_json, console const &io)
{
	if (is_json)
		*io.out << wire::to_text({{"schema", wire::json_schema}, {"error", wire::error_to_json(e)}}) << "\n";
	io.out->flush();
	*io.err << "ezioctl: " << printable_lines(to_string(e)) << "\n";
	return static_cast<int>(wire::exit_status_of(e.code));
}

int run_command(invocation const &line, environment const &env, console const &io)
{
	auto const is_json = line.has("--json");
	auto const settings = read_globals(line, env, io);
	if (!settings)
		return fail(settings.failure(), is_json, io);
	auto const function = find_handler(line.command->name);
	if (function == nullptr)
		return fail(make_error(errc::internal, "the verb has no handler"), is_json, io);
	command_context const context{line, *settings, io};
	auto const done = function(context);
	if (!done)
		return fail(done.failure(), is_json, io);
	errno = 0;
	io.out->flush();
	// A reader that has seen enough (head, less) is no failure.
	if (!*io.out && errno != EPIPE && errno != 0) {
		auto e = make_error(errc::internal, "cannot write to standard output");
		e.os_errno = errno;
		return fail(e, false, io);
	}
	return static_cast<int>(*done);
}

} // namespace

handler find_handler(std::string_view verb)
{
	auto const found = std::ranges::find(handlers, verb, &handler_entry::verb);
	return found == handlers.end() ? nullptr : found->function;
}

clock::time_point deadline_in(
	std::optional<std::chrono::duration<double>> timeout, std::chrono::seconds otherwise)
{
	return clock::now() + (timeout ? std::chrono::ceil<clock::duration>(*timeout) : otherwise);
}

result<json> ask(
	command_context const &context, std::string_view verb, json const &args, std::chrono::seconds otherwise)
{
	auto const deadline = deadline_in(context.settings.timeout, otherwise);
	auto connection = client::open(context.settings.endpoint, deadline, *context.io.interrupted);
	if (!connection)
		return connection.failure();
	return connection->call(verb, args, deadline);
}

std::string absolute_path(std::string const &path)
{
	if (path.empty() || path.front() == '/')
		return path;
	std::error_code failure;
	auto const directory = std::filesystem::current_path(failure);
	return failure ? path : (directory / path).string();
}

std::vector<std::string> selectors_of(invocation const &line)
{
	auto selectors = line.operands;
	for (auto &selector : selectors) {
		if (selector.find('/') != std::string::npos)
			selector = absolute_path(selector);
	}
	return selectors;
}

void print_document(command_context const &context, json document)
{
	document["schema"] = wire::json_schema;
	*context.io.out << wire::to_text(document) << "\n";
}

bool flush_output(command_context const &context)
{
	context.io.out->flush();
	return static_cast<bool>(*context.io.out);
}

bool sleep_for(console const &io, std::chrono::duration<double> time)
{
	auto const end = clock::now() + std::chrono::ceil<clock::duration>(time);
	while (!*io.interrupted) {
		auto const left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now()).count();
		if (left <= 0)
			return true;
		// Slices, since a signal just before the call would not end it.
		static_cast<void>(::poll(nullptr, 0, static_cast<int>(std::min<std::int64_t>(left, 200))));
	}
	return false;
}

int run(std::vector<std::string> const &arguments, environment const &env, console const &io)
{
	try {
		auto const line = parse_command_line(arguments);
		if (!line)
			return fail(line.failure(), std::ranges::find(arguments, "--json") != arguments.end(), io);
		if (line->is_help) {
			*io.out << help_text(line->command);
			io.out->flush();
			return static_cast<int>(exit_status::done);
		}
		return run_command(*line, env, io);
	} catch (std::exception const &e) {
		return fail(make_error(errc::internal, e.what()), false, io);
	}
}

} // namespace ezio::ctl
