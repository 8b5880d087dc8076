#pragma once

#include "actors/control_types.hpp"
#include "ctl/wire/codec.hpp"

#include <nlohmann/json.hpp>

namespace ezio
{

/// A decoded request as the control actor takes it. errc::invalid_argument if the torrent is no base64 or the
/// target no absolute path.
result<control_request> to_control_request(wire::request const &request);

/// The `result` of a reply, as docs/protocol.md describes it.
nlohmann::json to_json(control_answer const &answer);

/// One event of the bus as it travels.
wire::event_message to_event_message(std::uint64_t sequence, event const &e);

} // namespace ezio
