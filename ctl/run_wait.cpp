#include "ctl/run.hpp"

#include "ctl/event_source.hpp"
#include "ctl/render.hpp"
#include "ctl/text_format.hpp"
#include "ctl/torrent_list.hpp"
#include "ctl/wait_condition.hpp"

#include <algorithm>
#include <ostream>
#include <set>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using namespace std::chrono_literals;
using wire::exit_status;

namespace
{

/// Longest time between two looks, whatever events say: one may have been lost.
constexpr auto look_interval = 1s;
/// Shortest between two looks. Twice as long after each that follows the last one closely, up to the longest,
/// so that a storm of events does not become one of requests.
constexpr clock::duration look_pause_min = 10ms;
constexpr clock::duration look_pause_max = 100ms;
constexpr auto last_look_time = 1s;

class waiter
{
public:
	waiter(command_context const &context, wait_condition condition, std::string name, client connection)
		: m_context(context), m_condition(condition), m_name(std::move(name)),
		  m_connection(std::move(connection)), m_selectors(selectors_of(context.line)),
		  m_has_end(context.settings.timeout.has_value()),
		  m_end(deadline_in(context.settings.timeout, request_time))
	{
	}

	handler_result run()
	{
		auto stream =
			subscribe(m_connection, m_context.settings.endpoint, *m_context.io.interrupted, request_end());
		// Without events there still is a look every second.
		if (!stream && stream.failure().code != errc::unsupported)
			return stream.failure();
		if (m_condition == wait_condition::gone) {
			auto const known = remember_names();
			if (!known)
				return known.failure();
		}
		for (;;) {
			auto const outcome = look();
			if (!outcome)
				return end_progress(), outcome.failure();
			if (outcome->verdict != wait_verdict::pending)
				return finish(*outcome);
			if (m_has_end && clock::now() >= m_end)
				return finish(
					{wait_verdict::failed, make_error(errc::timed_out, "not " + m_name + " in time")});
			show_progress();
			auto const waited = wait_for_news(stream ? &*stream : nullptr);
			if (!waited)
				return end_progress(), waited.failure();
		}
	}

private:
	clock::time_point request_end() const
	{
		// The last look, when the time is over, still gets its answer.
		auto const now = clock::now();
		auto const end = now + request_time;
		return m_has_end ? std::min(std::max(m_end, now + last_look_time), end) : end;
	}

	result<json> ask_status(std::vector<std::string> const &selectors)
	{
		return m_connection.call("status", {{"selectors", selectors}}, request_end());
	}

	/// gone: which torrents the selectors name now; those that name none are gone already.
	result<void> remember_names()
	{
		auto const remember = [this](json const &reply) -> result<void> {
			auto const list = read_torrents(reply);
			if (!list)
				return list.failure();
			for (auto const &torrent : list->torrents)
				m_seen.insert(torrent.info_hash);
			return {};
		};
		if (m_selectors.empty()) {
			auto const reply = ask_status({});
			return reply ? remember(*reply) : result<void>(reply.failure());
		}
		for (auto const &selector : m_selectors) {
			auto const reply = ask_status({selector});
			if (!reply && reply.failure().code == errc::not_found)
				continue;
			auto const done = reply ? remember(*reply) : result<void>(reply.failure());
			if (!done)
				return done;
		}
		return {};
	}

	result<wait_outcome> look()
	{
		auto const is_gone = m_condition == wait_condition::gone;
		auto reply = ask_status(is_gone ? std::vector<std::string>() : m_selectors);
		if (!reply) {
			if (m_condition == wait_condition::ready && reply.failure().code == errc::not_found)
				return wait_outcome();
			return reply.failure();
		}
		auto list = read_torrents(*reply);
		if (!list)
			return list.failure();
		m_list = std::move(*list);
		if (is_gone)
			return look_whether_gone();
		auto const removed = check_removed();
		if (!removed)
			return removed.failure();
		return judge_all();
	}

	wait_outcome look_whether_gone()
	{
		torrent_list left;
		for (std::size_t i = 0; i < m_list.torrents.size(); ++i) {
			if (!m_seen.contains(m_list.torrents[i].info_hash))
				continue;
			left.torrents.push_back(m_list.torrents[i]);
			left.raw.push_back(m_list.raw[i]);
		}
		m_list = std::move(left);
		return {m_list.torrents.empty() ? wait_verdict::reached : wait_verdict::pending, std::nullopt};
	}

	/// A torrent that vanishes must not make the rest look like success.
	result<void> check_removed()
	{
		std::set<std::string> now;
		for (auto const &torrent : m_list.torrents)
			now.insert(torrent.info_hash);
		for (auto const &hash : m_seen) {
			if (!now.contains(hash))
				return make_error(errc::not_found, "torrent " + hash + " was removed while waiting for it");
		}
		m_seen = std::move(now);
		return {};
	}

	result<wait_outcome> judge_all()
	{
		if (m_list.torrents.empty()) {
			if (m_condition == wait_condition::idle)
				return wait_outcome{wait_verdict::reached, std::nullopt};
			if (m_condition == wait_condition::ready)
				return wait_outcome();
			return make_error(errc::not_found, "there is no torrent to wait for");
		}
		wait_outcome all{wait_verdict::reached, std::nullopt};
		for (auto const &torrent : m_list.torrents) {
			auto outcome = judge(torrent, m_condition);
			if (outcome.verdict == wait_verdict::failed) {
				m_failed = torrent.name + " (" + torrent.target + "): ";
				return outcome;
			}
			if (outcome.verdict == wait_verdict::pending)
				all = wait_outcome();
		}
		return all;
	}

	/// Returns when something has happened, at the latest after look_interval.
	result<void> wait_for_news(event_stream *stream)
	{
		auto const now = clock::now();
		auto const latest = m_has_end ? std::min(m_end, now + look_interval) : now + look_interval;
		auto const earliest = std::min(latest, now + m_pause);
		if (stream == nullptr) {
			if (!sleep_for(m_context.io, latest - now))
				return make_error(errc::interrupted, "interrupted");
			return {};
		}
		bool has_news = false;
		while (clock::now() < (has_news ? earliest : latest)) {
			auto const event = stream->next(has_news ? earliest : latest);
			if (!event && event.failure().code != errc::protocol)
				return event.failure();
			// Peers come and go without changing what is waited for.
			if (event && *event && !(*event)->kind.starts_with("peer-"))
				has_news = true;
		}
		auto const is_close = clock::now() - now <= look_pause_max;
		m_pause = is_close ? std::min(2 * m_pause, look_pause_max) : look_pause_min;
		return {};
	}

	void show_progress()
	{
		if (!m_context.io.is_err_terminal || m_context.settings.is_json)
			return;
		*m_context.io.err << "\r\x1b[K" << render_progress(m_list.torrents) << std::flush;
		m_has_progress = true;
	}

	void end_progress()
	{
		if (m_has_progress)
			*m_context.io.err << "\r\x1b[K" << std::flush;
	}

	handler_result finish(wait_outcome const &outcome)
	{
		end_progress();
		auto const is_reached = outcome.verdict == wait_verdict::reached;
		if (m_context.settings.is_json) {
			print_document(m_context,
				{{"condition", m_name}, {"reached", is_reached}, {"torrents", m_list.raw},
					{"error", wire::error_to_json(outcome.failure)}});
			flush_output(m_context);
		}
		if (is_reached) {
			for (auto const &torrent : m_list.torrents) {
				if (!m_context.settings.is_json)
					*m_context.io.out << m_name << ": " << printable(torrent.name) << " ("
									  << printable(torrent.target) << ")\n";
			}
			return exit_status::done;
		}
		*m_context.io.err << "ezioctl: " << printable(m_failed) << printable(to_string(*outcome.failure))
						  << "\n";
		if (outcome.failure->code == errc::timed_out)
			*m_context.io.err << render_totals(m_list.torrents);
		return wire::exit_status_of(outcome.failure->code);
	}

	command_context const &m_context;
	wait_condition m_condition;
	std::string m_name; ///< of the condition
	client m_connection;
	std::vector<std::string> m_selectors;
	bool m_has_end;
	clock::time_point m_end; ///< meaningful if m_has_end
	torrent_list m_list;     ///< as of the last look
	std::set<std::string> m_seen;
	std::string m_failed; ///< which torrent failed
	bool m_has_progress = false;
	clock::duration m_pause = look_pause_min; ///< until the next look, whatever has happened
};

} // namespace

handler_result run_wait(command_context const &context)
{
	auto const name = context.line.value("--for");
	if (!name)
		return make_error(errc::invalid_argument, "wait needs --for CONDITION; see ezioctl wait --help");
	auto const condition = wait_condition_from_string(*name);
	if (!condition)
		return make_error(errc::invalid_argument,
			"--for \"" + *name + "\": expected ready, downloaded, synced, verified, idle or gone");
	auto connection = client::open(context.settings.endpoint,
		deadline_in(context.settings.timeout, request_time), *context.io.interrupted);
	if (!connection)
		return connection.failure();
	return waiter(context, *condition, *name, std::move(*connection)).run();
}

} // namespace ezio::ctl
