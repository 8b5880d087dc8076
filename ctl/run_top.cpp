#include "ctl/fleet_client.hpp"
#include "ctl/full_screen.hpp"
#include "ctl/run.hpp"
#include "ctl/top_view.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using namespace std::chrono_literals;
using wire::exit_status;

namespace
{

/// Redrawn at least so often where the age of the picture counts.
constexpr auto age_step = 1s;
/// More often nobody could read it.
constexpr double interval_seconds_min = 0.1;
/// The only daemon of this fleet.
constexpr std::size_t daemon = 0;

result<top_settings> read_settings(command_context const &context)
{
	auto const &line = context.line;
	auto const key = read_sort_key(line);
	if (!key)
		return key.failure();
	auto const interval = line.seconds("--interval");
	if (!interval)
		return interval.failure();
	top_settings settings;
	settings.endpoint = context.settings.endpoint.url;
	settings.key = *key;
	settings.is_reversed = line.has("--reverse");
	settings.filter = lower_case(line.value("--filter").value_or(""));
	settings.is_verbose = line.has("--verbose");
	settings.interval_seconds = std::max(interval_seconds_min, interval->value_or(settings.interval_seconds));
	settings.use_colour = context.settings.use_colour;
	return settings;
}

class live_top
{
public:
	live_top(command_context const &context, fleet_client client, top_settings settings)
		: m_context(context), m_client(std::move(client)), m_view(std::move(settings))
	{
	}

	/// Before the screen is taken: a daemon that cannot be reached at all is a plain error.
	result<void> begin()
	{
		ask_for({"status", {}, {}});
		auto answers = m_client.next(clock::time_point::max());
		if (!answers)
			return answers.failure();
		return heard_list(std::move(answers->front().what));
	}

	handler_result run(full_screen shown)
	{
		m_rest.push_back({"stats", {}, {}});
		m_next_round = clock::now() + wait_between();
		auto next_draw = clock::now();
		for (;;) {
			ask();
			auto answers = m_client.next(std::min({next_draw, shown.due(), next_request()}), shown.input());
			if (!answers)
				return answers.failure();
			auto must_draw = !answers->empty();
			for (auto &answer : *answers)
				heard(std::move(answer.what));
			auto const keys = shown.keys();
			if (!keys)
				return exit_status::done;
			for (auto const each : *keys) {
				must_draw = true;
				if (!m_view.press(each, shown.size()))
					return exit_status::done;
				take_request();
			}
			auto const now = clock::now();
			if (!shown.must_redraw() && !must_draw && now < next_draw)
				continue;
			if (!shown.show(m_view.draw(shown.size(), now)))
				return exit_status::done;
			next_draw = now + age_step;
		}
	}

private:
	clock::duration wait_between() const { return std::chrono::ceil<clock::duration>(m_view.interval()); }

	clock::time_point next_request() const
	{
		return m_client.is_asked(daemon) ? clock::time_point::max() : m_next_round;
	}

	/// What the operator wants now goes before what is just due.
	void take_request()
	{
		if (auto request = m_view.take_request())
			m_rest.push_front(std::move(*request));
		// A shorter interval counts at once.
		m_next_round = std::min(m_next_round, clock::now() + wait_between());
	}

	void ask()
	{
		if (m_client.is_asked(daemon))
			return;
		if (m_rest.empty() && clock::now() >= m_next_round) {
			m_next_round = clock::now() + wait_between();
			m_rest.push_back({"status", {}, {}});
			m_rest.push_back({"stats", {}, {}});
			if (auto const peers = m_view.peers_wanted())
				m_rest.push_back(*peers);
		}
		if (m_rest.empty())
			return;
		auto const next = std::move(m_rest.front());
		m_rest.pop_front();
		ask_for(next);
	}

	void ask_for(top_request const &request)
	{
		auto args = json::object();
		if (!request.info_hash.empty())
			args["selectors"] = json::array({request.info_hash});
		else if (request.verb == "status")
			args["selectors"] = selectors_of(m_context.line);
		m_asked = request;
		m_client.ask(daemon, request.verb, args, deadline_in(m_context.settings.timeout, request_time));
	}

	result<void> heard_list(result<json> what)
	{
		auto const list = what ? read_torrents(*what) : result<torrent_list>(what.failure());
		if (!list)
			return list.failure();
		m_view.heard_status(*list, clock::now());
		return {};
	}

	void heard(result<json> what)
	{
		auto const asked = std::move(m_asked);
		if (asked.verb == "status") {
			auto const done = heard_list(std::move(what));
			if (done)
				return;
			// Of a selector that names nothing any more: there is nothing to show.
			if (done.failure().code == errc::not_found)
				return m_view.heard_status({}, clock::now());
			m_view.failed(done.failure());
			// What else was to be asked would only take as long to fail.
			std::erase_if(
				m_rest, [](top_request const &r) { return r.verb == "stats" || r.verb == "peers"; });
			m_next_round = clock::now() + wait_between();
		} else if (asked.verb == "stats") {
			// Without them two lines are empty; why, the next list tells.
			m_view.heard_stats(what ? std::move(*what) : json());
		} else if (asked.verb == "peers") {
			m_view.heard_peers(asked.info_hash, std::move(what));
		} else {
			m_view.heard_outcome(asked, what ? std::nullopt : std::optional(what.failure()));
			m_next_round = clock::now();
		}
	}

	command_context const &m_context;
	fleet_client m_client;
	top_view m_view;
	std::deque<top_request> m_rest; ///< to be asked, one after the other
	top_request m_asked;            ///< under way, or answered
	clock::time_point m_next_round{};
};

} // namespace

handler_result run_top(command_context const &context)
{
	if (context.settings.is_json || !context.io.is_out_terminal)
		return make_error(errc::invalid_argument,
			"top draws on a terminal; see status --watch, or status --json --watch for programs");
	auto settings = read_settings(context);
	if (!settings)
		return settings.failure();
	auto client = fleet_client::open({{"daemon", context.settings.endpoint}}, *context.io.interrupted);
	if (!client)
		return client.failure();
	live_top top(context, std::move(*client), std::move(*settings));
	auto const begun = top.begin();
	if (!begun)
		return begun.failure();
	auto shown = full_screen::open();
	if (!shown)
		return shown.failure();
	return top.run(std::move(*shown));
}

} // namespace ezio::ctl
