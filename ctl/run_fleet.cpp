#include "ctl/fleet_command.hpp"
#include "ctl/fleet_wait.hpp"
#include "ctl/render_fleet.hpp"
#include "ctl/text_format.hpp"

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

constexpr auto default_grace = 30.0;
/// When the time is over, nodes that are being asked still get to answer.
constexpr auto last_look_time = 1s;

void print_rows(command_context const &context, fleet_rows const &fleet)
{
	*context.io.out << render_fleet(fleet.rows, worst_first(fleet.rows), context.settings.use_colour)
					<< render_fleet_totals(fleet.totals);
}

handler_result run_fleet_status(command_context const &context)
{
	auto const limit = std::chrono::ceil<clock::duration>(
		context.settings.timeout.value_or(std::chrono::duration<double>(fleet_node_time)));
	auto fleet = open_fleet(context, {limit, limit});
	if (!fleet)
		return fleet.failure();
	for (auto left = fleet->facts().size(); left > 0;) {
		auto const heard = fleet->advance(clock::time_point::max());
		if (!heard)
			return heard.failure();
		for (auto const node : *heard)
			fleet->leave_alone(node);
		left -= heard->size();
	}
	fleet_rows const shown(fleet->facts());
	if (context.settings.is_json)
		print_document(context, fleet_to_json(fleet->facts()));
	else
		print_rows(context, shown);
	return shown.totals.status;
}

class fleet_waiter
{
public:
	fleet_waiter(command_context const &context, fleet_poll fleet, wait_condition condition, std::string name,
		std::chrono::duration<double> grace)
		: m_context(context), m_fleet(std::move(fleet)), m_name(std::move(name)),
		  m_waits(m_fleet.facts().size(), node_wait(condition, grace))
	{
		if (context.settings.timeout) {
			m_end = deadline_in(context.settings.timeout, request_time);
			m_fleet.end_at(m_end + last_look_time);
		}
	}

	handler_result run()
	{
		for (;;) {
			auto const heard = m_fleet.advance(std::min(m_end, clock::now() + fleet_pause));
			if (!heard)
				return end_progress(), heard.failure();
			auto const time = clock::now();
			for (auto const node : *heard)
				take(node, time);
			auto const is_over = time >= m_end;
			if (is_over || is_settled(time))
				return finish(time);
			show_progress(time);
		}
	}

private:
	void take(std::size_t node, clock::time_point time)
	{
		auto const &facts = m_fleet.facts()[node];
		if (facts.failure)
			m_waits[node].failed(*facts.failure, time);
		else
			m_waits[node].answered(facts.list, time);
		if (m_waits[node].is_final())
			m_fleet.leave_alone(node);
	}

	bool is_settled(clock::time_point time) const
	{
		return std::ranges::none_of(m_waits,
			[&](node_wait const &wait) { return wait.outcome(time).verdict == wait_verdict::pending; });
	}

	void show_progress(clock::time_point time)
	{
		if (!m_context.io.is_err_terminal || m_context.settings.is_json || time < m_next_progress)
			return;
		m_next_progress = time + fleet_draw_pause;
		auto line = render_fleet_totals(fleet_rows(m_fleet.facts()).totals);
		line.pop_back();
		*m_context.io.err << "\r\x1b[K" << line << std::flush;
		m_has_progress = true;
	}

	void end_progress()
	{
		if (m_has_progress)
			*m_context.io.err << "\r\x1b[K" << std::flush;
	}

	handler_result finish(clock::time_point time)
	{
		end_progress();
		auto status = exit_status::done;
		std::string pending;
		auto const &facts = m_fleet.facts();
		json document = fleet_to_json(facts);
		json verdicts = json::object();
		for (std::size_t i = 0; i < m_waits.size(); ++i) {
			auto outcome = m_waits[i].outcome(time);
			auto const is_reached = outcome.verdict == wait_verdict::reached;
			if (outcome.verdict == wait_verdict::pending)
				outcome.failure = make_error(errc::timed_out, "not " + m_name + " in time");
			verdicts[facts[i].name] = {
				{"reached", is_reached}, {"error", wire::error_to_json(outcome.failure)}};
			if (is_reached)
				continue;
			status = worse(status, wire::exit_status_of(outcome.failure->code));
			*m_context.io.err << "ezioctl: " << printable(facts[i].name) << ": "
							  << printable(to_string(*outcome.failure)) << "\n";
		}
		document["condition"] = m_name;
		document["reached"] = status == exit_status::done;
		document["verdicts"] = std::move(verdicts);
		document["exit_status"] = static_cast<int>(status);
		if (m_context.settings.is_json)
			print_document(m_context, std::move(document));
		else
			print_rows(m_context, fleet_rows(facts));
		return status;
	}

	command_context const &m_context;
	fleet_poll m_fleet;
	std::string m_name; ///< of the condition
	std::vector<node_wait> m_waits;
	clock::time_point m_end = clock::time_point::max();
	clock::time_point m_next_progress{};
	bool m_has_progress = false;
};

handler_result run_fleet_wait(command_context const &context)
{
	auto const name = context.line.value("--for");
	if (!name)
		return make_error(
			errc::invalid_argument, "fleet wait needs --for CONDITION; see ezioctl fleet --help");
	auto const condition = wait_condition_from_string(*name);
	if (!condition)
		return make_error(errc::invalid_argument,
			"--for \"" + *name + "\": expected ready, downloaded, synced, verified, idle or gone");
	auto const grace = context.line.seconds("--grace");
	if (!grace)
		return grace.failure();
	auto fleet = open_fleet(context, {fleet_pause, fleet_node_time});
	if (!fleet)
		return fleet.failure();
	return fleet_waiter(context, std::move(*fleet), *condition, *name,
		std::chrono::duration<double>(grace->value_or(default_grace)))
		.run();
}

} // namespace

result<fleet_poll> open_fleet(command_context const &context, fleet_poll::pace how)
{
	auto const where = context.line.value("--nodes");
	if (!where)
		return make_error(
			errc::invalid_argument, "fleet needs --nodes FILE or --nodes HOST,...; see ezioctl fleet --help");
	auto const nodes = read_fleet(*where, context.settings.endpoint);
	if (!nodes)
		return nodes.failure();
	auto client = fleet_client::open(*nodes, *context.io.interrupted);
	if (!client)
		return client.failure();
	invocation line = context.line;
	line.operands.erase(line.operands.begin());
	return fleet_poll(*nodes, std::move(*client), selectors_of(line), how);
}

fleet_rows::fleet_rows(std::vector<node_facts> const &facts)
{
	std::ranges::transform(facts, std::back_inserter(rows), make_node_row);
	totals = sum_up(facts, rows);
}

handler_result run_fleet(command_context const &context)
{
	auto const &what = context.line.operands.front();
	if (what == "status")
		return run_fleet_status(context);
	if (what == "wait")
		return run_fleet_wait(context);
	if (what == "top")
		return run_fleet_top(context);
	return make_error(errc::invalid_argument, "fleet \"" + what + "\": expected status, wait or top");
}

} // namespace ezio::ctl
