#pragma once

#include "actors/core/result.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace ezio::wire
{

enum class arg_type : std::uint8_t {
	text,     ///< a string without NUL, at most text_bytes_max
	base64,   ///< a string of base64 of at most torrent_bytes_max bytes
	boolean,  ///< true or false
	integer,  ///< within least and most
	text_list ///< an array of text
};

struct arg_info {
	std::string_view name;
	arg_type type = arg_type::text;
	bool is_required = false; ///< present, and not empty if it is a text or a list
	std::string_view help;
	std::int64_t least = 0;
	std::int64_t most = 0;
};

/// What a verb does to the daemon; clients whose key may only read are refused those that change something.
enum class verb_effect : std::uint8_t { reads, changes };

/// One verb of the protocol. The table is what daemon and clients validate against and what
/// docs/protocol.md is compared with.
struct verb_info {
	std::string_view name;
	std::span<arg_info const> args;
	std::string_view help;
	verb_effect effect = verb_effect::changes;
};

std::span<verb_info const> verbs();
/// Null if there is no such verb.
verb_info const *find_verb(std::string_view name);

/// Are @p args (an object) what the verb takes? errc::invalid_argument names the first argument that is
/// unknown, missing, of the wrong type or beyond its limit. After success args[name] of every required
/// argument exists and every present one has its type, so it can be read without a check.
result<void> check_args(verb_info const &verb, nlohmann::json const &args);

} // namespace ezio::wire
