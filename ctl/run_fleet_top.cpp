#include "ctl/fleet_command.hpp"
#include "ctl/render_fleet.hpp"
#include "ctl/terminal.hpp"

#include <algorithm>
#include <utility>

namespace ezio::ctl
{

using wire::exit_status;

namespace
{

class fleet_top
{
public:
	fleet_top(command_context const &context, fleet_poll fleet, terminal screen)
		: m_context(context), m_fleet(std::move(fleet)), m_terminal(std::move(screen))
	{
	}

	handler_result run()
	{
		auto next_draw = clock::now();
		for (;;) {
			auto const heard = m_fleet.advance(next_draw, m_terminal.input());
			if (!heard)
				return heard.failure();
			if (!m_terminal.read(m_typed))
				return exit_status::done;
			auto const keys = take_keys(m_typed);
			if (std::ranges::find(keys, key::quit) != keys.end())
				return exit_status::done;
			for (auto const each : keys)
				obey(each);
			if (keys.empty() && clock::now() < next_draw)
				continue;
			if (!draw())
				return exit_status::done;
			next_draw = clock::now() + fleet_draw_pause;
		}
	}

private:
	void obey(key what)
	{
		auto const page = fleet_rows_shown(m_terminal.size());
		auto const back = [this](std::size_t rows) { m_first -= std::min(m_first, rows); };
		switch (what) {
		case key::up:
			return back(1);
		case key::down:
			m_first += 1;
			return;
		case key::page_up:
			return back(page);
		case key::page_down:
			m_first += page;
			return;
		case key::home:
			m_first = 0;
			return;
		case key::end:
			m_first = m_fleet.facts().size();
			return;
		case key::done:
			m_has_done = !m_has_done;
			return;
		case key::quit:
		case key::other:
			return;
		}
	}

	bool draw()
	{
		fleet_rows const fleet(m_fleet.facts());
		auto order = worst_first(fleet.rows);
		if (!m_has_done)
			std::erase_if(
				order, [&](std::size_t i) { return fleet.rows[i].standing == node_standing::done; });
		auto const size = m_terminal.size();
		auto const shown = fleet_rows_shown(size);
		m_first = std::min(m_first, order.size() - std::min(order.size(), shown));
		return m_terminal.write(m_screen.show(
			draw_fleet(fleet.totals, fleet.rows, order, m_first, size, m_context.settings.use_colour), size));
	}

	command_context const &m_context;
	fleet_poll m_fleet;
	terminal m_terminal;
	screen m_screen;
	std::string m_typed;
	std::size_t m_first = 0; ///< row at the top
	bool m_has_done = true;  ///< nodes that are done are shown
};

} // namespace

handler_result run_fleet_top(command_context const &context)
{
	if (context.settings.is_json || !context.io.is_out_terminal)
		return make_error(
			errc::invalid_argument, "fleet top draws on a terminal; see fleet status --json for programs");
	auto fleet = open_fleet(context, {fleet_pause, fleet_node_time});
	if (!fleet)
		return fleet.failure();
	auto screen = terminal::open();
	if (!screen)
		return screen.failure();
	return fleet_top(context, std::move(*fleet), std::move(*screen)).run();
}

} // namespace ezio::ctl
