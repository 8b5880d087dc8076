#pragma once

#include <cstddef>
#include <cstdint>

namespace ezio::wire
{

/// The protocol that docs/protocol.md describes. Requests of another version are refused.
inline constexpr int protocol_version = 1;
/// Shape of what `ezioctl --json` prints. May only grow; a change that breaks readers takes the next number.
inline constexpr int json_schema = 1;

inline constexpr std::size_t request_bytes_max = 24u << 20;
inline constexpr std::size_t torrent_bytes_max = 16u << 20;
/// A reply to `status` or `peers` of thousands of torrents must fit.
inline constexpr std::size_t reply_bytes_max = 256u << 20;
inline constexpr std::size_t event_bytes_max = 1u << 20;
/// How deep arrays and objects may nest in any message; the outermost object counts as 1.
inline constexpr std::size_t depth_max = 32;
/// Values (members, elements) in one request: a parsed value takes more memory than its text, so the size
/// alone would not bound what a request can cost.
inline constexpr std::size_t request_values_max = 65536;
inline constexpr std::size_t reply_values_max = 16u << 20;
/// Bytes of a request's `id`, if it is a string.
inline constexpr std::size_t id_bytes_max = 256;
/// Bytes of any string argument other than the torrent.
inline constexpr std::size_t text_bytes_max = 64u << 10;

inline constexpr char const *default_endpoint = "ipc:///run/ezio/control.sock";

} // namespace ezio::wire
