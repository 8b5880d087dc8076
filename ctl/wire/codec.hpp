#pragma once

#include "actors/core/error.hpp"
#include "actors/core/result.hpp"
#include "ctl/wire/verbs.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ezio::wire
{

// Nothing here throws on what a peer sent: hostile bytes become an error, and cost no more memory than
// protocol.hpp's limits allow. Text that is not UTF-8 (a torrent's name, a path) is sent with U+FFFD in its
// place.

/// A request that names a known verb and whose arguments have passed check_args().
struct request {
	nlohmann::json id; ///< string, integer or null
	verb_info const *verb = nullptr;
	nlohmann::json args; ///< an object
};

/// What came, and the id to answer with either way (null where none could be read).
struct decoded_request {
	nlohmann::json id;
	result<request> what;
};

/// Errors: protocol (not a request), unsupported (another version), invalid_argument (verb, arguments).
decoded_request decode_request(std::string_view bytes);
std::string encode_request(nlohmann::json const &id, std::string_view verb, nlohmann::json const &args);

/// The answer to a request: a result or the daemon's error.
struct reply {
	nlohmann::json id;
	result<nlohmann::json> what;
};

std::string encode_reply(nlohmann::json const &id, nlohmann::json const &value);
std::string encode_reply(nlohmann::json const &id, error const &failure);
/// errc::protocol if it is no reply of this version.
result<reply> decode_reply(std::string_view bytes);

/// {"code","message","text","context":{...}}; text is the whole story on one line.
nlohmann::json error_to_json(error const &e);
/// Null stays null.
nlohmann::json error_to_json(std::optional<error> const &e);
/// Anything that is no such object becomes an error that says so; a code of a newer daemon becomes internal.
error error_from_json(nlohmann::json const &value);

/// One event as it travels: topic frame `kind`, then this.
struct event_message {
	std::uint64_t seq = 0; ///< from 1 without a gap, over all kinds
	std::string kind;      ///< "torrent-state"
	std::uint64_t unix_ms = 0;
	std::string info_hash; ///< empty if it concerns no torrent
	std::string text;
	std::string key;
	std::string old_value;
	std::string new_value;
	std::string peer;
	std::optional<std::uint32_t> piece;
	std::optional<error> failure;
};

std::string encode_event(event_message const &event);
/// errc::protocol if it is no event of this version. Unknown members are ignored: events may grow.
result<event_message> decode_event(std::string_view bytes);

/// Serializes any of our documents; never throws on text that is not UTF-8.
std::string to_text(nlohmann::json const &value, int indent = -1);

} // namespace ezio::wire
