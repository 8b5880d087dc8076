#include "ctl/fleet_command.hpp"
#include "ctl/full_screen.hpp"
#include "ctl/render_fleet.hpp"

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
	fleet_top(command_context const &context, fleet_poll fleet, full_screen screen)
		: m_context(context), m_fleet(std::move(fleet)), m_screen(std::move(screen))
	{
	}

	handler_result run()
	{
		auto next_draw = clock::now();
		for (;;) {
			auto const heard = m_fleet.advance(std::min(next_draw, m_screen.due()), m_screen.input());
			if (!heard)
				return heard.failure();
			auto const keys = m_screen.keys();
			if (!keys)
				return exit_status::done;
			for (auto const each : *keys) {
				if (each == key_press{key::character, 'q'})
					return exit_status::done;
				obey(each);
			}
			if (!m_screen.must_redraw() && keys->empty() && clock::now() < next_draw)
				continue;
			if (!draw())
				return exit_status::done;
			next_draw = clock::now() + fleet_draw_pause;
		}
	}

private:
	void obey(key_press press)
	{
		if (press == key_press{key::character, 'd'})
			m_has_done = !m_has_done;
		m_first =
			scrolled(m_first, movement_of(press), fleet_rows_shown(m_screen.size()), m_fleet.facts().size());
	}

	bool draw()
	{
		fleet_rows const fleet(m_fleet.facts());
		auto order = worst_first(fleet.rows);
		if (!m_has_done)
			std::erase_if(
				order, [&](std::size_t i) { return fleet.rows[i].standing == node_standing::done; });
		auto const size = m_screen.size();
		auto const shown = fleet_rows_shown(size);
		m_first = std::min(m_first, order.size() - std::min(order.size(), shown));
		return m_screen.show(
			draw_fleet(fleet.totals, fleet.rows, order, m_first, size, m_context.settings.use_colour));
	}

	command_context const &m_context;
	fleet_poll m_fleet;
	full_screen m_screen;
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
	auto screen = full_screen::open();
	if (!screen)
		return screen.failure();
	return fleet_top(context, std::move(*fleet), std::move(*screen)).run();
}

} // namespace ezio::ctl
