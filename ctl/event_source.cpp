#include "ctl/event_source.hpp"

namespace ezio::ctl
{

std::string reachable_events_endpoint(std::string_view control, std::string_view events)
{
	constexpr std::string_view tcp = "tcp://";
	auto const colon = events.rfind(':');
	auto const control_colon = control.rfind(':');
	if (!events.starts_with(tcp) || !control.starts_with(tcp) || colon < tcp.size() ||
		control_colon < tcp.size())
		return std::string(events);
	auto const host = events.substr(tcp.size(), colon - tcp.size());
	if (host != "*" && host != "0.0.0.0" && host != "[::]")
		return std::string(events);
	return std::string(control.substr(0, control_colon)) + std::string(events.substr(colon));
}

result<event_stream> subscribe(client &connection, daemon_endpoint const &control,
	std::atomic<bool> const &interrupted, clock::time_point deadline)
{
	auto const version = connection.call("version", nlohmann::json::object(), deadline);
	if (!version)
		return version.failure();
	auto const found = version->find("events_endpoint");
	if (found == version->end() || !found->is_string() || found->get_ref<std::string const &>().empty())
		return make_error(errc::unsupported,
			"this daemon publishes no events; control.events-endpoint is empty in its configuration");
	auto to = control;
	to.url = reachable_events_endpoint(control.url, found->get_ref<std::string const &>());
	return event_stream::open(to, deadline, interrupted);
}

} // namespace ezio::ctl
