#pragma once

#include "actors/core/error.hpp"
#include "ctl/torrent_list.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ezio::ctl
{

/// What `wait --for` waits for; docs/cli.md defines each.
enum class wait_condition : std::uint8_t { ready, downloaded, synced, verified, idle, gone };

std::optional<wait_condition> wait_condition_from_string(std::string_view name);

enum class wait_verdict : std::uint8_t { pending, reached, failed };

/// How one torrent stands to a condition; why it can no longer be reached is in @p failure if it failed.
struct wait_outcome {
	wait_verdict verdict = wait_verdict::pending;
	std::optional<error> failure;
};

/// A torrent in error has failed every condition but gone; one that verified badly has failed verified. A
/// torrent that still exists is pending for gone.
wait_outcome judge(torrent_view const &torrent, wait_condition condition);

} // namespace ezio::ctl
