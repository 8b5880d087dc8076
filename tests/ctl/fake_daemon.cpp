#include "tests/ctl/fake_daemon.hpp"

#include <zmq.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ezio
{

using nlohmann::json;

namespace
{

void must(bool is_done, char const *what)
{
	if (!is_done)
		throw std::runtime_error(std::string("fake daemon: ") + what);
}

} // namespace

scratch_dir::scratch_dir()
{
	auto name = (std::filesystem::temp_directory_path() / "ezio-ctl-XXXXXX").string();
	must(::mkdtemp(name.data()) != nullptr, "mkdtemp");
	m_path = name;
}

scratch_dir::~scratch_dir()
{
	std::error_code ignored;
	std::filesystem::remove_all(m_path, ignored);
}

struct fake_daemon::parts {
	scratch_dir directory;
	script answer;
	event_source events;
	std::string events_endpoint;
	void *context = nullptr;
	void *router = nullptr;
	void *publisher = nullptr;
	std::atomic<bool> is_stopping{false};
	std::thread thread;

	void serve()
	{
		while (!is_stopping) {
			zmq_pollitem_t item{router, 0, ZMQ_POLLIN, 0};
			if (zmq_poll(&item, 1, 10) > 0)
				reply();
			auto const event = events ? events() : std::nullopt;
			if (event) {
				zmq_send(publisher, "topic", 5, ZMQ_SNDMORE);
				zmq_send(publisher, event->data(), event->size(), 0);
			}
		}
	}

	void reply()
	{
		std::vector<std::string> frames;
		int has_more = 1;
		while (has_more != 0) {
			zmq_msg_t part;
			zmq_msg_init(&part);
			zmq_msg_recv(&part, router, 0);
			frames.emplace_back(static_cast<char const *>(zmq_msg_data(&part)), zmq_msg_size(&part));
			has_more = zmq_msg_more(&part);
			zmq_msg_close(&part);
		}
		auto const request = wire::decode_request(frames.back());
		std::string bytes;
		if (!request.what) {
			bytes = wire::encode_reply(request.id, request.what.failure());
		} else if (request.what->verb->name == "version") {
			bytes = wire::encode_reply(
				request.id, json{{"version", "9.9"}, {"protocol", 1}, {"events_endpoint", events_endpoint}});
		} else {
			auto const answered = answer(request.what->verb->name, request.what->args);
			if (!answered)
				return;
			bytes = *answered ? wire::encode_reply(request.id, **answered)
							  : wire::encode_reply(request.id, answered->failure());
		}
		zmq_send(router, frames.front().data(), frames.front().size(), ZMQ_SNDMORE);
		zmq_send(router, bytes.data(), bytes.size(), 0);
	}
};

fake_daemon::fake_daemon(script answer, event_source events, bool has_events, std::string const &endpoint)
	: m_parts(std::make_unique<parts>())
{
	auto &p = *m_parts;
	p.answer = std::move(answer);
	p.events = std::move(events);
	m_endpoint = endpoint.empty() ? "ipc://" + p.directory.path("control") : endpoint;
	if (has_events)
		p.events_endpoint = "ipc://" + p.directory.path("events");
	p.context = zmq_ctx_new();
	must(p.context != nullptr, "zmq_ctx_new");
	p.router = zmq_socket(p.context, ZMQ_ROUTER);
	p.publisher = zmq_socket(p.context, ZMQ_PUB);
	int const linger = 0;
	zmq_setsockopt(p.router, ZMQ_LINGER, &linger, sizeof linger);
	zmq_setsockopt(p.publisher, ZMQ_LINGER, &linger, sizeof linger);
	must(zmq_bind(p.router, m_endpoint.c_str()) == 0, "bind");
	if (has_events)
		must(zmq_bind(p.publisher, p.events_endpoint.c_str()) == 0, "bind events");
	p.thread = std::thread([&p] { p.serve(); });
}

fake_daemon::~fake_daemon()
{
	m_parts->is_stopping = true;
	m_parts->thread.join();
	zmq_close(m_parts->router);
	zmq_close(m_parts->publisher);
	zmq_ctx_term(m_parts->context);
}

} // namespace ezio
