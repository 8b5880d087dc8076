#include "ctl/fleet_client.hpp"

#include "ctl/fleet_link.hpp"
#include "ctl/name_lookup.hpp"
#include "ctl/wire/codec.hpp"

#include <sys/resource.h>
#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using namespace std::chrono_literals;

namespace
{

/// A signal that comes just before a wait would be noticed only after it.
constexpr auto wait_slice = 200ms;
/// Of each node: the socket and both ends of its monitor, and as many that are just being closed.
constexpr int sockets_per_node = 6;
constexpr int sockets_spare = 16;

/// A few hundred nodes need more descriptors than the usual soft limit allows; where the hard one is too low,
/// the nodes beyond it fail with the system's words.
void raise_descriptor_limit()
{
	::rlimit limit{};
	if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

} // namespace

struct fleet_client::state {
	std::atomic<bool> const *interrupted = nullptr;
	context_ptr context;
	std::deque<fleet_link> links; ///< closed before their context
	name_lookup lookup;
	std::uint64_t last_id = 0;

	/// Until something can go on.
	result<void> wait(clock::time_point until, int watched_fd)
	{
		std::vector<zmq_pollitem_t> items;
		items.push_back({nullptr, lookup.fd(), ZMQ_POLLIN, 0});
		if (watched_fd >= 0)
			items.push_back({nullptr, watched_fd, ZMQ_POLLIN, 0});
		for (auto const &link : links) {
			if (!link.is_busy())
				continue;
			until = std::min(until, link.due());
			if (link.descriptor() >= 0)
				items.push_back({nullptr, link.descriptor(), ZMQ_POLLOUT, 0});
			if (link.socket() != nullptr)
				items.push_back({link.socket(), 0, ZMQ_POLLIN, 0});
			if (link.monitor() != nullptr)
				items.push_back({link.monitor(), 0, ZMQ_POLLIN, 0});
		}
		auto const left = std::min<clock::duration>(until - clock::now(), wait_slice);
		auto const milliseconds =
			std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count());
		if (zmq_poll(items.data(), static_cast<int>(items.size()), static_cast<long>(milliseconds)) < 0 &&
			zmq_errno() != EINTR)
			return zmq_failure("zmq_poll", "");
		return {};
	}

	std::vector<fleet_answer> advance()
	{
		for (auto &found : lookup.collect())
			links[found.node].found(std::move(found.addresses));
		std::vector<fleet_answer> answers;
		auto const time = clock::now();
		for (std::size_t i = 0; i < links.size(); ++i) {
			if (auto what = links[i].advance(time))
				answers.push_back({i, std::move(*what)});
		}
		return answers;
	}
};

fleet_client::fleet_client(std::unique_ptr<state> s) : m_state(std::move(s)) {}
fleet_client::fleet_client(fleet_client &&) noexcept = default;
fleet_client &fleet_client::operator=(fleet_client &&) noexcept = default;
fleet_client::~fleet_client() = default;

result<fleet_client> fleet_client::open(
	std::vector<fleet_node> const &nodes, std::atomic<bool> const &interrupted)
{
	raise_descriptor_limit();
	auto s = std::make_unique<state>();
	s->interrupted = &interrupted;
	s->context.reset(zmq_ctx_new());
	if (!s->context)
		return zmq_failure("zmq_ctx_new", "");
	if (zmq_ctx_set(s->context.get(), ZMQ_MAX_SOCKETS,
			static_cast<int>(nodes.size()) * sockets_per_node + sockets_spare) != 0)
		return zmq_failure("zmq_ctx_set", "");
	for (auto const &node : nodes) {
		std::optional<curve_keys> keys;
		if (node.daemon.url.starts_with("tcp://")) {
			auto read = read_curve_keys(node.daemon);
			if (!read) {
				auto e = read.failure();
				e.message = "node " + node.name + ": " + e.message;
				return e;
			}
			keys = std::move(*read);
		}
		s->links.emplace_back(s->context.get(), node, std::move(keys));
	}
	return fleet_client(std::move(s));
}

void fleet_client::ask(std::size_t node, std::string_view verb, json const &args, clock::time_point deadline)
{
	auto &s = *m_state;
	auto const id = ++s.last_id;
	auto const name = s.links[node].ask(id, wire::encode_request(id, verb, args), deadline);
	if (name)
		s.lookup.start(node, *name);
}

bool fleet_client::is_asked(std::size_t node) const
{
	return m_state->links[node].is_busy();
}

result<std::vector<fleet_answer>> fleet_client::next(clock::time_point until, int watched_fd)
{
	auto &s = *m_state;
	// A request that failed as it began has its answer already.
	auto answers = s.advance();
	for (;;) {
		if (*s.interrupted)
			return make_error(errc::interrupted, "interrupted");
		if (!answers.empty() || clock::now() >= until)
			return answers;
		auto const waited = s.wait(until, watched_fd);
		if (!waited)
			return waited.failure();
		answers = s.advance();
		if (watched_fd >= 0)
			return answers;
	}
}

} // namespace ezio::ctl
