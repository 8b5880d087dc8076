#include "daemon/metrics_endpoint.hpp"

#include "actors/timeouts.hpp"

#include <CivetServer.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio
{

namespace
{

prometheus::MetricType to_library(metric_type type)
{
	switch (type) {
	case metric_type::counter:
		return prometheus::MetricType::Counter;
	case metric_type::gauge:
		return prometheus::MetricType::Gauge;
	case metric_type::histogram:
		return prometheus::MetricType::Histogram;
	}
	return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric to_library(metric_sample const &from, metric_type type)
{
	prometheus::ClientMetric made;
	for (auto const &[name, value] : from.labels)
		made.label.push_back({name, value});
	switch (type) {
	case metric_type::counter:
		made.counter.value = from.value;
		break;
	case metric_type::gauge:
		made.gauge.value = from.value;
		break;
	case metric_type::histogram:
		made.histogram.sample_count = from.histogram.count;
		made.histogram.sample_sum = from.histogram.sum;
		for (auto const &[bound, count] : from.histogram.up_to)
			made.histogram.bucket.push_back({count, bound});
		break;
	}
	return made;
}

std::string serialize(metrics_snapshot const &snapshot)
{
	std::vector<prometheus::MetricFamily> families;
	for (auto const &from : to_metrics(snapshot)) {
		auto &made = families.emplace_back();
		made.name = from.what->name;
		made.help = from.what->help;
		made.type = to_library(from.what->type);
		for (auto const &sample : from.samples)
			made.metric.push_back(to_library(sample, from.what->type));
	}
	return prometheus::TextSerializer().Serialize(families);
}

/// What the server says while this thread starts it: its constructor has no other way to tell why it failed.
thread_local std::string *first_fault = nullptr;

int note_fault(mg_connection const *, char const *message)
{
	if (first_fault != nullptr && first_fault->empty())
		*first_fault = message;
	return 1; // it is not to print it
}

std::string_view port_of(std::string_view address)
{
	return address.substr(std::min(address.rfind(':'), address.size()));
}

constexpr int http_ok = 200;
constexpr int http_internal_error = 500;
constexpr int http_unavailable = 503;

} // namespace

class metrics_endpoint::impl : private CivetHandler
{
public:
	explicit impl(std::function<metrics_snapshot()> take) : m_take(std::move(take)) {}

	result<void> listen(std::string const &address);
	void close();

private:
	bool handleGet(CivetServer *server, mg_connection *client, int *status) override;
	using CivetHandler::handleGet;
	std::string const &page();
	result<std::unique_ptr<CivetServer>> serve(std::string const &address);
	error go_back(error failure);

	std::function<metrics_snapshot()> m_take;
	std::atomic<bool> m_is_closed{false};

	std::mutex m_page_mutex; ///< two servers overlap for a moment while one replaces the other
	std::string m_page;      ///< guarded by m_page_mutex, as the next
	std::chrono::steady_clock::time_point m_page_taken;

	std::mutex m_server_mutex;
	std::string m_address;                 ///< guarded by m_server_mutex
	std::unique_ptr<CivetServer> m_server; ///< guarded by m_server_mutex; its threads use all of the above
};

/// A client that asks without pause gets the same page for a while: it cannot keep the actors busy.
std::string const &metrics_endpoint::impl::page()
{
	auto const now = std::chrono::steady_clock::now();
	if (m_page.empty() || now - m_page_taken >= timeouts::metrics_age) {
		m_page = serialize(m_take());
		m_page_taken = now;
	}
	return m_page;
}

/// The library's own Exposer is not used: its destructor waits until every client has taken its answer before
/// it stops the server, and a client that takes little at a time decides how long that is.
bool metrics_endpoint::impl::handleGet(CivetServer *, mg_connection *client, int *status)
{
	constexpr std::size_t chunk_bytes = 64 * 1024;
	*status = http_ok;
	std::string answer;
	if (m_is_closed) {
		*status = http_unavailable;
		mg_send_http_error(client, http_unavailable, "%s", "the daemon is stopping");
		return true;
	}
	try {
		std::lock_guard const lock(m_page_mutex);
		auto const &text = page();
		answer = "HTTP/1.1 200 OK\r\n"
				 "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
				 "Content-Length: " +
			std::to_string(text.size()) + "\r\nConnection: close\r\n\r\n" + text;
	} catch (std::exception const &failure) {
		*status = http_internal_error;
		mg_send_http_error(client, http_internal_error, "%s", failure.what());
		return true;
	}
	auto const deadline = std::chrono::steady_clock::now() + timeouts::metrics_response;
	std::string_view left = answer;
	while (!left.empty() && std::chrono::steady_clock::now() < deadline) {
		auto const size = std::min(left.size(), chunk_bytes);
		auto const written = mg_write(client, left.data(), size);
		if (written < 0 || static_cast<std::size_t>(written) < size)
			break; // gone, too slow, or we stop
		left.remove_prefix(size);
	}
	return true;
}

result<std::unique_ptr<CivetServer>> metrics_endpoint::impl::serve(std::string const &address)
{
	auto const client_ms = std::chrono::milliseconds(timeouts::metrics_client).count();
	std::vector<std::string> const options{"listening_ports", address, "num_threads", "1",
		"request_timeout_ms", std::to_string(client_ms), "max_request_size", "8192"};
	CivetCallbacks callbacks;
	callbacks.log_message = note_fault;
	std::string fault;
	first_fault = &fault;
	try {
		auto server = std::make_unique<CivetServer>(options, &callbacks);
		first_fault = nullptr;
		server->addHandler("/metrics", this);
		return server;
	} catch (std::exception const &failure) {
		first_fault = nullptr;
		return make_error(errc::unsupported, "metrics: " + (fault.empty() ? failure.what() : fault));
	}
}

result<void> metrics_endpoint::impl::listen(std::string const &address)
{
	std::lock_guard const lock(m_server_mutex);
	if (m_is_closed)
		return make_error(errc::aborted, "metrics: the daemon is stopping");
	if (address == m_address)
		return {};
	if (address.empty()) {
		m_server.reset();
		m_address.clear();
		return {};
	}
	auto made = serve(address);
	if (!made && m_server != nullptr && port_of(address) == port_of(m_address)) {
		// It may be our own socket that is in the way, as from 127.0.0.1 to 0.0.0.0.
		m_server.reset();
		made = serve(address);
		if (!made)
			return go_back(made.failure());
	}
	if (!made)
		return made.failure();
	m_server = std::move(*made);
	m_address = address;
	return {};
}

/// Listens where it did before @p failure.
error metrics_endpoint::impl::go_back(error failure)
{
	auto old = serve(m_address);
	if (old) {
		m_server = std::move(*old);
		return failure;
	}
	failure.message += "; the old address is lost, too: " + old.failure().message;
	m_address.clear();
	return failure;
}

void metrics_endpoint::impl::close()
{
	m_is_closed = true;
	std::lock_guard const lock(m_server_mutex);
	m_server.reset();
}

metrics_endpoint::metrics_endpoint(std::function<metrics_snapshot()> take)
	: m_impl(std::make_unique<impl>(std::move(take)))
{
}

metrics_endpoint::~metrics_endpoint()
{
	close();
}

result<void> metrics_endpoint::listen(std::string const &address)
{
	return m_impl->listen(address);
}

void metrics_endpoint::close()
{
	m_impl->close();
}

} // namespace ezio
