#include "daemon/metrics_source.hpp"

#include "actors/timeouts.hpp"

#include <utility>

namespace ezio
{

metrics_snapshot take_metrics(
	caf::actor_system &system, session_actor const &session, stats_actor const &stats)
{
	metrics_snapshot taken;
	caf::scoped_actor self{system};
	// Both are under way before the first is awaited.
	auto torrents = self->request(session, timeouts::stats_request, status_atom::value);
	auto figures = self->request(stats, timeouts::stats_request, stats_atom::value);
	// The snapshot says who did not answer; a scraper has no use for more.
	torrents.receive(
		[&taken](rows_reply &rows) {
			if (rows)
				taken.torrents = std::move(*rows);
		},
		[](caf::error const &) {});
	figures.receive(
		[&taken](stats_report &report) { taken.stats = std::move(report); }, [](caf::error const &) {});
	return taken;
}

} // namespace ezio
