#pragma once

#include "ctl/wire/codec.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ezio
{

/// Answers in the daemon's place: over real ipc sockets in a directory of its own, on a thread of its own,
/// until it is destroyed.
class fake_daemon
{
public:
	/// What to answer; nothing: stay silent. Called on the fake's thread. `version` is answered by the fake.
	using script = std::function<std::optional<result<nlohmann::json>>(
		std::string_view verb, nlohmann::json const &args)>;
	/// Bytes of events to publish, asked for a hundred times a second on the fake's thread; may be empty.
	using event_source = std::function<std::optional<std::string>()>;

	/// @p endpoint: an ipc endpoint to be at; empty: one of its own.
	explicit fake_daemon(
		script answer, event_source events = {}, bool has_events = true, std::string const &endpoint = {});
	~fake_daemon();
	fake_daemon(fake_daemon const &) = delete;
	fake_daemon &operator=(fake_daemon const &) = delete;

	std::string const &endpoint() const { return m_endpoint; }

private:
	struct parts;
	std::string m_endpoint;
	std::unique_ptr<parts> m_parts;
};

/// A new directory below the system's temporary one, removed with its content.
class scratch_dir
{
public:
	scratch_dir();
	~scratch_dir();
	scratch_dir(scratch_dir const &) = delete;
	scratch_dir &operator=(scratch_dir const &) = delete;
	std::string path(std::string const &name) const { return m_path + "/" + name; }

private:
	std::string m_path;
};

} // namespace ezio
