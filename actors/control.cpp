#include "actors/control.hpp"

#include "actors/caf_error.hpp"
#include "actors/core/selector.hpp"
#include "actors/core/unix_time.hpp"
#include "actors/timeouts.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace ezio
{

/// Shared by everyone who may answer; only the first answer is sent.
class pending_reply
{
public:
	explicit pending_reply(caf::typed_response_promise<control_reply> rp) : m_promise(std::move(rp)) {}
	void deliver(control_reply reply)
	{
		if (m_promise.pending())
			m_promise.deliver(std::move(reply));
	}

private:
	caf::typed_response_promise<control_reply> m_promise;
};
namespace
{

using self_pointer = control_actor::stateful_pointer<control_state>;
using promise = std::shared_ptr<pending_reply>;

/// Answers with @p Answer made from the reply's value, or with its failure.
template <class Reply, class Convert>
auto answer_with(promise rp, Convert convert)
{
	return [rp, convert](Reply &reply) mutable {
		if (reply)
			rp->deliver(control_reply(control_answer(convert(std::move(*reply)))));
		else
			rp->deliver(control_reply(reply.failure()));
	};
}

auto fail_with(promise rp, char const *who)
{
	return
		[rp, who](caf::error const &failure) mutable { rp->deliver(control_reply(from_caf(failure, who))); };
}

constexpr auto as_is = [](auto value) { return value; };

/// Asks the session for its torrents and calls @p act with the rows that the selectors name.
template <class Act>
void with_selected(self_pointer self, promise rp, std::vector<std::string> selectors, Act act)
{
	self->request(self->state.config.session, timeouts::session_request, status_atom::value)
		.then(
			[rp, selectors = std::move(selectors), act = std::move(act)](rows_reply &rows) mutable {
				if (!rows)
					return rp->deliver(control_reply(rows.failure()));
				auto const chosen = select_torrents(*rows, selectors);
				if (!chosen)
					return rp->deliver(control_reply(chosen.failure()));
				std::vector<torrent_row> selected;
				for (auto const index : *chosen)
					selected.push_back(std::move((*rows)[index]));
				act(std::move(selected));
			},
			fail_with(rp, "the session"));
}

std::vector<std::string> or_all(std::vector<std::string> selectors)
{
	if (selectors.empty())
		selectors.emplace_back("all");
	return selectors;
}

/// Collects the answers of several requests to the session into one reply: the first failure, or all of them.
struct collector {
	promise rp;
	std::size_t outstanding = 0;
	std::optional<error> failure;
	control_answer answer;

	void arrived(std::optional<error> e)
	{
		if (e && !failure)
			failure = std::move(e);
		if (--outstanding > 0)
			return;
		if (failure)
			rp->deliver(control_reply(std::move(*failure)));
		else
			rp->deliver(control_reply(std::move(answer)));
	}
};

/// What one of several torrents answered; the failure says which.
std::optional<error> failure_of(void_reply const &reply, std::string const &name)
{
	if (reply)
		return std::nullopt;
	auto failure = reply.failure();
	if (failure.device.empty())
		failure.message = name + ": " + failure.message;
	return failure;
}

std::uint64_t limit_in(std::vector<setting_row> const &rows, std::string_view key)
{
	constexpr std::uint64_t kib = 1024;
	for (auto const &row : rows) {
		std::uint64_t limit = 0;
		if (row.key == key &&
			std::from_chars(row.value.data(), row.value.data() + row.value.size(), limit).ec == std::errc{})
			return limit * kib;
	}
	return 0;
}

/// Adds what the torrents and the limits say about the load, and answers. Who does not answer in time is left
/// out: statistics never wait for a part that hangs.
void explain_load(self_pointer self, promise rp, stats_report report)
{
	auto const shared = std::make_shared<stats_report>(std::move(report));
	auto const finish = [rp, shared](std::vector<torrent_row> const &rows, rate_limits limits) {
		// A slow start is a limit like another one.
		if (!rows.empty() && rows.front().slow_start_rate) {
			auto const lower = [ceiling = *rows.front().slow_start_rate](std::uint64_t limit) {
				return limit == 0 ? ceiling : std::min(limit, ceiling);
			};
			limits = {lower(limits.down), lower(limits.up)};
		}
		shared->held_by = find_bottleneck(shared->load, rows, limits);
		rp->deliver(control_reply(control_answer(std::move(*shared))));
	};
	auto const with_torrents = [self, finish](std::vector<torrent_row> const &torrents) {
		std::vector<std::string> const keys{"download-limit", "upload-limit"};
		self->request(self->state.config.settings, timeouts::stats_request, get_atom::value, keys)
			.then(
				[finish, torrents](settings_reply const &rows) {
					rate_limits limits;
					if (rows)
						limits = {limit_in(*rows, "download-limit"), limit_in(*rows, "upload-limit")};
					finish(torrents, limits);
				},
				[finish, torrents](caf::error const &) { finish(torrents, {}); });
	};
	self->request(self->state.config.session, timeouts::stats_request, status_atom::value)
		.then([with_torrents](
				  rows_reply const &rows) { with_torrents(rows ? *rows : std::vector<torrent_row>{}); },
			[with_torrents](caf::error const &) { with_torrents({}); });
}

template <class Atom, class... Payload>
void change_each(self_pointer self, promise rp, std::vector<torrent_row> const &rows,
	std::chrono::seconds time_out, Payload const &...payload)
{
	auto all = std::make_shared<collector>();
	all->rp = rp;
	all->outstanding = rows.size();
	torrent_reply answer;
	for (auto const &row : rows)
		answer.info_hashes.push_back(row.info_hash);
	all->answer = std::move(answer);
	if (rows.empty())
		return rp->deliver(control_reply(std::move(all->answer)));
	for (auto const &row : rows)
		self->request(self->state.config.session, time_out, Atom::value, row.info_hash, payload...)
			.then([all, name = row.name](void_reply const &reply) { all->arrived(failure_of(reply, name)); },
				[all](caf::error const &e) { all->arrived(from_caf(e, "the session")); });
}

void change(self_pointer self, promise rp, torrent_verb verb, std::vector<torrent_row> const &rows)
{
	switch (verb) {
	case torrent_verb::pause:
		return change_each<pause_atom>(self, rp, rows, timeouts::session_request);
	case torrent_verb::resume:
		return change_each<resume_atom>(self, rp, rows, timeouts::add_torrent);
	case torrent_verb::remove:
		return change_each<remove_atom>(self, rp, rows, timeouts::remove_torrent);
	case torrent_verb::verify:
		return change_each<verify_atom>(self, rp, rows, timeouts::session_request);
	case torrent_verb::warm:
		return change_each<warm_atom>(self, rp, rows, timeouts::session_request);
	case torrent_verb::reannounce:
		return change_each<announce_atom>(self, rp, rows, timeouts::session_request);
	}
	rp->deliver(control_reply(make_error(errc::internal, "a torrent verb without a meaning")));
}

void gather_peers(self_pointer self, promise rp, std::vector<torrent_row> const &rows)
{
	auto all = std::make_shared<collector>();
	all->rp = rp;
	all->outstanding = rows.size();
	peers_list_reply answer;
	for (auto const &row : rows)
		answer.torrents.push_back({row.info_hash, row.name, {}});
	all->answer = std::move(answer);
	if (rows.empty())
		return rp->deliver(control_reply(std::move(all->answer)));
	for (std::size_t i = 0; i < rows.size(); ++i)
		self->request(
				self->state.config.session, timeouts::session_request, peers_atom::value, rows[i].info_hash)
			.then(
				[all, i](peers_reply &peers) {
					if (!peers)
						return all->arrived(peers.failure());
					std::get<peers_list_reply>(all->answer).torrents[i].peers = std::move(*peers);
					all->arrived(std::nullopt);
				},
				[all](caf::error const &e) { all->arrived(from_caf(e, "the session")); });
}

version_reply version_of(self_pointer self)
{
	auto version = self->state.config.version;
	auto const uptime = monotonic_clock::now() - self->state.started;
	version.uptime_ms =
		static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(uptime).count());
	return version;
}

/// One function per verb; each delivers the promise once, now or later.
struct carry_out {
	self_pointer self;
	promise rp;

	void reply(control_answer answer) { rp->deliver(control_reply(std::move(answer))); }

	void operator()(ping_request &) { reply(ping_reply{}); }

	void operator()(version_request &) { reply(version_of(self)); }

	void operator()(add_request &request)
	{
		self->request(self->state.config.session, timeouts::add_torrent, add_atom::value, std::move(request))
			.then(answer_with<text_reply>(rp, [](std::string hash) { return add_reply{std::move(hash)}; }),
				fail_with(rp, "the session"));
	}

	void operator()(status_request &request)
	{
		with_selected(
			self, rp, or_all(std::move(request.selectors)), [to = rp](std::vector<torrent_row> rows) mutable {
				to->deliver(control_reply(control_answer(status_reply{std::move(rows)})));
			});
	}

	void operator()(torrent_request &request)
	{
		if (request.selectors.empty())
			return rp->deliver(
				control_reply(make_error(errc::invalid_argument, "name at least one torrent, or \"all\"")));
		with_selected(self, rp, std::move(request.selectors),
			[me = self, to = rp, verb = request.verb](
				std::vector<torrent_row> const &rows) { change(me, to, verb, rows); });
	}

	void operator()(tune_request &request)
	{
		if (request.selectors.empty())
			return rp->deliver(
				control_reply(make_error(errc::invalid_argument, "name at least one torrent, or \"all\"")));
		with_selected(self, rp, std::move(request.selectors),
			[me = self, to = rp, tuning = request.tuning](std::vector<torrent_row> const &rows) {
				change_each<tune_atom>(me, to, rows, timeouts::session_request, tuning);
			});
	}

	void operator()(peers_request &request)
	{
		with_selected(self, rp, or_all(std::move(request.selectors)),
			[me = self, to = rp](std::vector<torrent_row> const &rows) { gather_peers(me, to, rows); });
	}

	void operator()(report_request &request)
	{
		with_selected(self, rp, or_all(std::move(request.selectors)),
			[me = self, to = rp](std::vector<torrent_row> rows) mutable {
				report_reply report;
				report.unix_ms = unix_ms_now();
				report.daemon = version_of(me);
				report.rows = std::move(rows);
				to->deliver(control_reply(control_answer(std::move(report))));
			});
	}

	void operator()(get_request &request)
	{
		self->request(self->state.config.settings, timeouts::settings_request, get_atom::value,
				std::move(request.keys))
			.then(answer_with<settings_reply>(
					  rp, [](std::vector<setting_row> rows) { return get_reply{std::move(rows)}; }),
				fail_with(rp, "the settings"));
	}

	void operator()(set_request &request)
	{
		self->request(
				self->state.config.settings, timeouts::settings_request, set_atom::value, std::move(request))
			.then(answer_with<change_reply>(rp, as_is), fail_with(rp, "the settings"));
	}

	void operator()(reload_request &)
	{
		self->request(self->state.config.settings, timeouts::settings_request, reload_atom::value)
			.then(answer_with<reload_reply>(rp, as_is), fail_with(rp, "the settings"));
	}

	void operator()(stats_request &)
	{
		self->request(self->state.config.stats, timeouts::stats_request, stats_atom::value)
			.then([self = self, to = rp](stats_report &report) { explain_load(self, to, std::move(report)); },
				fail_with(rp, "the statistics"));
	}

	void operator()(shutdown_request &)
	{
		reply(shutdown_reply{});
		self->state.config.request_shutdown();
	}
};

} // namespace

control_actor::behavior_type control(
	control_actor::stateful_pointer<control_state> self, control_config config)
{
	self->state.config = std::move(config);
	self->state.started = monotonic_clock::now();
	return {
		[self](control_request &request) -> caf::result<control_reply> {
			auto const answer = self->make_response_promise<control_reply>();
			auto const pending = std::make_shared<pending_reply>(answer);
			auto &outstanding = self->state.outstanding;
			std::erase_if(outstanding, [](auto const &p) { return p.expired(); });
			outstanding.push_back(pending);
			std::visit(carry_out{self, pending}, request.verb);
			return answer;
		},
		[self](stop_atom) {
			// CAF tells nobody about the promises of an actor that ends.
			for (auto const &weak : self->state.outstanding)
				if (auto const pending = weak.lock())
					pending->deliver(make_error(errc::unreachable, "the daemon is stopping"));
			self->quit();
		},
	};
}

void ask_control(caf::actor_system &system, control_actor const &control, control_request request,
	std::function<void(control_reply)> answer)
{
	// Copied by CAF where it pleases; a torrent in it may be large.
	auto const shared = std::make_shared<ezio::control_request>(std::move(request));
	system.spawn([control, shared, answer = std::move(answer)](caf::event_based_actor *self) {
		self->request(control, timeouts::control_request, std::move(*shared))
			.then([answer](control_reply &reply) { answer(std::move(reply)); },
				[answer](caf::error const &failure) { answer(from_caf(failure, "control")); });
	});
}

} // namespace ezio
