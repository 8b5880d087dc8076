#include "ctl/run.hpp"

#include "ctl/render.hpp"
#include "ctl/status_columns.hpp"
#include "ctl/torrent_list.hpp"

#include <ostream>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using wire::exit_status;

namespace
{

struct view_options {
	sort_key key = sort_key::name;
	bool is_reversed = false;
	torrent_filter filter;
	std::vector<std::string> columns;
	bool is_verbose = false;
};

result<view_options> read_view(invocation const &line)
{
	view_options view;
	auto const key = read_sort_key(line);
	if (!key)
		return key.failure();
	view.key = *key;
	view.is_reversed = line.has("--reverse");
	view.filter = torrent_filter::parse(line.value("--filter").value_or(""));
	auto columns = parse_columns(line.value("--columns").value_or(std::string(default_columns())));
	if (!columns)
		return columns.failure();
	view.columns = std::move(*columns);
	view.is_verbose = line.has("--verbose");
	return view;
}

result<void> show(command_context const &context, view_options const &view, json reply)
{
	auto const list = read_torrents(reply);
	if (!list)
		return list.failure();
	std::vector<torrent_view> shown;
	auto raw = json::array();
	for (auto const index : sorted(list->torrents, view.key, view.is_reversed)) {
		if (!view.filter.accepts(list->torrents[index]))
			continue;
		shown.push_back(list->torrents[index]);
		raw.push_back(list->raw[index]);
	}
	if (context.settings.is_json) {
		reply["torrents"] = std::move(raw);
		print_document(context, std::move(reply));
		return {};
	}
	auto const use_colour = context.settings.use_colour;
	if (view.is_verbose)
		*context.io.out << render_status_verbose(shown, use_colour);
	else if (!shown.empty())
		*context.io.out << render_status(shown, view.columns, use_colour);
	*context.io.out << render_totals(shown);
	return {};
}

} // namespace

result<sort_key> read_sort_key(invocation const &line)
{
	auto const name = line.value("--sort");
	if (!name)
		return sort_key::name;
	auto const key = sort_key_from_string(*name);
	if (!key)
		return make_error(
			errc::invalid_argument, "--sort \"" + *name + "\": expected one of " + sort_key_names());
	return *key;
}

handler_result run_status(command_context const &context)
{
	auto const view = read_view(context.line);
	if (!view)
		return view.failure();
	auto const interval = context.line.seconds("--watch");
	if (!interval)
		return interval.failure();
	json const args{{"selectors", selectors_of(context.line)}};
	auto connection = client::open(context.settings.endpoint,
		deadline_in(context.settings.timeout, request_time), *context.io.interrupted);
	if (!connection)
		return connection.failure();
	for (;;) {
		auto reply = connection->call("status", args, deadline_in(context.settings.timeout, request_time));
		if (!reply)
			return reply.failure();
		auto const is_watching = context.line.has("--watch");
		if (is_watching && context.io.is_out_terminal && !context.settings.is_json)
			*context.io.out << "\x1b[H\x1b[2J";
		auto const shown = show(context, *view, std::move(*reply));
		if (!shown)
			return shown.failure();
		if (!is_watching || !flush_output(context))
			return exit_status::done;
		if (!sleep_for(context.io, std::chrono::duration<double>(interval->value_or(2))))
			return make_error(errc::interrupted, "interrupted");
	}
}

} // namespace ezio::ctl
