#pragma once

#include "actors/core/result.hpp"
#include "ctl/curve.hpp"
#include "ctl/probe.hpp"
#include "ctl/wire/codec.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ezio::ctl
{

/// A connection to one daemon for requests, one at a time. Used by one thread.
class client
{
public:
	/// Probes and connects; over tcp until the daemon has let us in. errc::denied if it does not. @p
	/// interrupted is looked at while waiting, at least five times a second.
	static result<client> open(
		daemon_endpoint const &daemon, clock::time_point deadline, std::atomic<bool> const &interrupted);
	client(client &&) noexcept;
	client &operator=(client &&) noexcept;
	~client();

	/// The result of one request, or the daemon's error, or one of ours: timed_out, unreachable (the daemon
	/// went away), interrupted, protocol.
	result<nlohmann::json> call(
		std::string_view verb, nlohmann::json const &args, clock::time_point deadline);

private:
	struct state;
	explicit client(std::unique_ptr<state> s);
	std::unique_ptr<state> m_state;
};

/// A subscription to all events of one daemon. Used by one thread.
class event_stream
{
public:
	/// Connects, as client::open does, but does not probe.
	static result<event_stream> open(
		daemon_endpoint const &daemon, clock::time_point deadline, std::atomic<bool> const &interrupted);
	event_stream(event_stream &&) noexcept;
	event_stream &operator=(event_stream &&) noexcept;
	~event_stream();

	/// The next event; nothing if none came until @p deadline. errc::interrupted; errc::protocol for a
	/// message that is no event, after which the next call goes on behind it.
	result<std::optional<wire::event_message>> next(clock::time_point deadline);

private:
	struct state;
	explicit event_stream(std::unique_ptr<state> s);
	std::unique_ptr<state> m_state;
};

} // namespace ezio::ctl
