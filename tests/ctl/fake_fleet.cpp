#include "tests/ctl/fake_fleet.hpp"

#include <zmq.h>

#include <array>
#include <atomic>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ezio
{

using nlohmann::json;

struct fake_fleet::parts {
	scratch_dir directory;
	script answer;
	void *context = nullptr;
	std::vector<void *> routers;
	std::atomic<bool> is_stopping{false};
	std::thread thread;

	std::string endpoint(std::size_t index) const
	{
		return "ipc://" + directory.path("n" + std::to_string(index));
	}

	void serve()
	{
		std::vector<zmq_pollitem_t> items;
		for (auto *const router : routers)
			items.push_back({router, 0, ZMQ_POLLIN, 0});
		while (!is_stopping) {
			if (zmq_poll(items.data(), static_cast<int>(items.size()), 10) <= 0)
				continue;
			for (std::size_t i = 0; i < items.size(); ++i) {
				if (items[i].revents != 0)
					reply(i);
			}
		}
	}

	void reply(std::size_t index)
	{
		std::array<char, 256> identity{};
		std::array<char, 65536> bytes{};
		auto const identity_size = zmq_recv(routers[index], identity.data(), identity.size(), 0);
		auto const size = zmq_recv(routers[index], bytes.data(), bytes.size(), 0);
		if (identity_size < 0 || size < 0)
			return;
		auto const request = wire::decode_request({bytes.data(), static_cast<std::size_t>(size)});
		auto const answered = request.what ? answer(index, request.what->verb->name, request.what->args)
										   : std::optional<result<json>>(request.what.failure());
		if (!answered)
			return;
		auto const text = *answered ? wire::encode_reply(request.id, **answered)
									: wire::encode_reply(request.id, answered->failure());
		zmq_send(routers[index], identity.data(), static_cast<std::size_t>(identity_size), ZMQ_SNDMORE);
		zmq_send(routers[index], text.data(), text.size(), 0);
	}
};

fake_fleet::fake_fleet(std::size_t nodes, script answer) : m_parts(std::make_unique<parts>())
{
	auto &p = *m_parts;
	p.answer = std::move(answer);
	p.context = zmq_ctx_new();
	for (std::size_t i = 0; i < nodes; ++i) {
		auto *const router = zmq_socket(p.context, ZMQ_ROUTER);
		int const linger = 0;
		if (router == nullptr || zmq_setsockopt(router, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
			zmq_bind(router, p.endpoint(i).c_str()) != 0)
			throw std::runtime_error(std::string("fake fleet: ") + zmq_strerror(zmq_errno()));
		p.routers.push_back(router);
	}
	p.thread = std::thread([&p] { p.serve(); });
}

fake_fleet::~fake_fleet()
{
	m_parts->is_stopping = true;
	m_parts->thread.join();
	for (auto *const router : m_parts->routers)
		zmq_close(router);
	zmq_ctx_term(m_parts->context);
}

std::string fake_fleet::nodes_file(std::string const &more) const
{
	auto path = m_parts->directory.path("nodes");
	std::ofstream file(path);
	for (std::size_t i = 0; i < m_parts->routers.size(); ++i) {
		auto const number = std::to_string(i);
		file << "n" << std::string(3 - std::min<std::size_t>(3, number.size()), '0') << number << " "
			 << m_parts->endpoint(i) << "\n";
	}
	file << more;
	file.close();
	if (!file)
		throw std::runtime_error("fake fleet: cannot write " + path);
	return path;
}

} // namespace ezio
