#include "ctl/wire/verbs.hpp"

#include "ctl/wire/protocol.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace ezio::wire
{
namespace
{

// libtorrent keeps a torrent's limits in 24 bits and wants two connections at least.
constexpr std::int64_t peers_most = (1 << 24) - 1;

constexpr std::string_view selectors_help = "torrents: info-hash prefix, name or target; \"all\"";
constexpr std::array<arg_info, 1> any_selectors{{{"selectors", arg_type::text_list, false, selectors_help}}};
constexpr std::array<arg_info, 1> some_selectors{{{"selectors", arg_type::text_list, true, selectors_help}}};

// libtorrent keeps a limit in 31 bits.
constexpr std::int64_t limit_most = 0x7fffffff;

constexpr std::array<arg_info, 15> add_args{{
	{"torrent_base64", arg_type::base64, true, "the torrent file, at most 16 MiB before encoding"},
	{"target", arg_type::text, true, "absolute path of the block device or image file"},
	{"seed", arg_type::boolean, false, "the target holds the data already; it is opened read-only"},
	{"sequential", arg_type::boolean, false, "ask for the pieces in order"},
	{"paused", arg_type::boolean, false, "do not start"},
	{"check", arg_type::boolean, false, "hash what is on the target first, fetch only what differs"},
	{"verify", arg_type::boolean, false, "read the target back when all is on stable storage"},
	{"peers", arg_type::text_list, false, "HOST:PORT of peers to connect to"},
	{"trackers", arg_type::text_list, false, "URLs, beside those in the torrent"},
	{"uploads_max", arg_type::integer, false, "peers uploaded to at once", 1, peers_most},
	{"connections_max", arg_type::integer, false, "connections of this torrent", 2, peers_most},
	{"upload_limit", arg_type::integer, false, "bytes of payload a second; 0: no limit", 0, limit_most},
	{"download_limit", arg_type::integer, false, "bytes of payload a second; 0: no limit", 0, limit_most},
	{"priority", arg_type::text, false, "low, normal or high: which torrent downloads first"},
	{"allow", arg_type::text_list, false, "safety checks to override, by name"},
}};

constexpr std::array<arg_info, 4> tune_args{{
	{"selectors", arg_type::text_list, true, selectors_help},
	{"upload_limit", arg_type::integer, false, "bytes of payload a second; 0: no limit", 0, limit_most},
	{"download_limit", arg_type::integer, false, "bytes of payload a second; 0: no limit", 0, limit_most},
	{"priority", arg_type::text, false, "low, normal or high: which torrent downloads first"},
}};

constexpr std::array<arg_info, 1> get_args{{
	{"keys", arg_type::text_list, false, "configuration keys; empty: all"},
}};

constexpr std::array<arg_info, 3> set_args{{
	{"key", arg_type::text, true, "configuration key"},
	{"value", arg_type::text, false, "its new value as text; left out: the empty text"},
	{"save", arg_type::boolean, false, "write the configuration file as well"},
}};

constexpr std::array<verb_info, 18> table{{
	{"ping", {}, "answers", verb_effect::reads},
	{"version", {}, "versions, process id, up time and where events are published", verb_effect::reads},
	{"add", add_args, "checks the target and adds a torrent", verb_effect::changes},
	{"status", any_selectors, "torrents and totals", verb_effect::reads},
	{"pause", some_selectors, "stops transfers, keeps the torrent", verb_effect::changes},
	{"resume", some_selectors, "goes on; clears an error and checks the device first", verb_effect::changes},
	{"remove", some_selectors, "forgets the torrent; what is on the device stays", verb_effect::changes},
	{"verify", some_selectors, "reads the device itself and compares every piece", verb_effect::changes},
	{"warm", some_selectors, "reads a source into the cache, as far as there is room", verb_effect::changes},
	{"reannounce", some_selectors, "asks trackers and the local network for peers now", verb_effect::changes},
	{"tune", tune_args, "changes limits and priority of torrents; what is left out stays",
		verb_effect::changes},
	{"peers", any_selectors, "the peers of torrents", verb_effect::reads},
	{"report", any_selectors, "all that can be filed as evidence of torrents", verb_effect::reads},
	{"get", get_args, "configuration keys with their values", verb_effect::reads},
	{"set", set_args, "changes one key of the running daemon", verb_effect::changes},
	{"reload", {}, "reads the configuration file again", verb_effect::changes},
	{"stats", {}, "counters, latencies and the buffer budget", verb_effect::reads},
	{"shutdown", {}, "stops the daemon in order", verb_effect::changes},
}};

error bad_argument(verb_info const &verb, std::string_view name, std::string_view what)
{
	return make_error(errc::invalid_argument,
		"argument \"" + std::string(name) + "\" of " + std::string(verb.name) + " " + std::string(what));
}

/// Empty if the text is all right.
std::string_view text_fault(nlohmann::json const &value, std::size_t bytes_max)
{
	auto const *text = value.get_ptr<nlohmann::json::string_t const *>();
	if (text == nullptr)
		return "must be a string";
	if (text->size() > bytes_max)
		return "is too long";
	// A path would end at it without anyone noticing.
	if (text->find('\0') != std::string::npos)
		return "contains a NUL character";
	return {};
}

std::string value_fault(arg_info const &arg, nlohmann::json const &value)
{
	switch (arg.type) {
	case arg_type::text:
		return std::string(text_fault(value, text_bytes_max));
	case arg_type::base64:
		return std::string(text_fault(value, (torrent_bytes_max + 2) / 3 * 4));
	case arg_type::boolean:
		return value.is_boolean() ? "" : "must be true or false";
	case arg_type::integer: {
		auto const range =
			"must be an integer from " + std::to_string(arg.least) + " to " + std::to_string(arg.most);
		if (!value.is_number_integer())
			return range;
		// Unsigned numbers beyond the signed range would wrap.
		if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(arg.most))
			return range;
		auto const number = value.get<std::int64_t>();
		return number >= arg.least && number <= arg.most ? "" : range;
	}
	case arg_type::text_list:
		if (!value.is_array())
			return "must be an array of strings";
		for (auto const &element : value) {
			if (!element.is_string())
				return "must be an array of strings";
			auto const fault = text_fault(element, text_bytes_max);
			if (!fault.empty())
				return "has an element that " + std::string(fault);
		}
		return "";
	}
	return "has no type";
}

} // namespace

std::span<verb_info const> verbs()
{
	return table;
}

verb_info const *find_verb(std::string_view name)
{
	auto const found = std::ranges::find(table, name, &verb_info::name);
	return found == table.end() ? nullptr : &*found;
}

result<void> check_args(verb_info const &verb, nlohmann::json const &args)
{
	if (!args.is_object())
		return make_error(
			errc::invalid_argument, "the arguments of " + std::string(verb.name) + " must be an object");
	for (auto const &[name, value] : args.items()) {
		auto const arg = std::ranges::find(verb.args, std::string_view(name), &arg_info::name);
		if (arg == verb.args.end())
			return bad_argument(verb, std::string_view(name).substr(0, 64), "is unknown");
		auto const fault = value_fault(*arg, value);
		if (!fault.empty())
			return bad_argument(verb, name, fault);
	}
	for (auto const &arg : verb.args) {
		if (!arg.is_required)
			continue;
		auto const found = args.find(arg.name);
		if (found == args.end())
			return bad_argument(verb, arg.name, "is missing");
		if ((found->is_array() && found->empty()) ||
			(found->is_string() && found->get_ref<std::string const &>().empty()))
			return bad_argument(verb, arg.name, "must not be empty");
	}
	return {};
}

} // namespace ezio::wire
