#pragma once

#include "tests/ctl/fake_daemon.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ezio
{

/// Answers in the place of many daemons, each at a real ipc endpoint of its own, on one thread.
class fake_fleet
{
public:
	/// What node @p index answers; nothing: it stays silent. Called on the fake's thread.
	using script = std::function<std::optional<result<nlohmann::json>>(
		std::size_t index, std::string_view verb, nlohmann::json const &args)>;

	fake_fleet(std::size_t nodes, script answer);
	~fake_fleet();
	fake_fleet(fake_fleet const &) = delete;
	fake_fleet &operator=(fake_fleet const &) = delete;

	/// A file for --nodes: n000, n001, ... @p more lines follow.
	std::string nodes_file(std::string const &more = {}) const;

private:
	struct parts;
	std::unique_ptr<parts> m_parts;
};

} // namespace ezio
