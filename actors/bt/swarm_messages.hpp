#pragma once

#include "actors/core/peer_roster.hpp"
#include "actors/core/units.hpp"

#include <libtorrent/address.hpp>
#include <libtorrent/socket.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ezio
{

// Messages of the BitTorrent protocol as they go over the wire, length first. Pure.

/// "have": the sender has a piece.
std::vector<char> have_message(piece_index piece);
/// "have all" of the fast extension (BEP 6).
std::vector<char> have_all_message();
/// "suggest piece" of the fast extension.
std::vector<char> suggest_message(piece_index piece);
/// "reject request" of the fast extension, naming the request.
std::vector<char> reject_message(piece_index piece, std::uint32_t offset_bytes, std::uint32_t length_bytes);
/// "lt_donthave" (BEP 54) under the number that the receiver gave it: the sender has a piece no longer.
std::vector<char> dont_have_message(std::uint8_t number, piece_index piece);
/// A message of the extension protocol (BEP 10), under the number that the receiver gave it.
std::vector<char> extended_message(std::uint8_t number, std::span<char const> body);
/// The body of a message of peer exchange (BEP 11) that adds peers; empty if there are none.
std::vector<char> pex_body(std::span<listen_endpoint const> added);

/// Nothing for what no one else could connect to.
std::optional<listen_endpoint> to_core(lt::address const &address, std::uint16_t port);
lt::tcp::endpoint to_lt(listen_endpoint const &where);

} // namespace ezio
