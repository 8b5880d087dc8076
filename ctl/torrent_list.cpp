#include "ctl/torrent_list.hpp"

#include "ctl/json_fields.hpp"
#include "ctl/wire/codec.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;

namespace
{

struct key_name {
	std::string_view name;
	sort_key key;
};
/// In the order of the enumeration.
constexpr std::array<key_name, 11> key_names{{
	{"name", sort_key::name},
	{"path", sort_key::path},
	{"progress", sort_key::progress},
	{"speed", sort_key::speed},
	{"down", sort_key::down},
	{"up", sort_key::up},
	{"peers", sort_key::peers},
	{"size", sort_key::size},
	{"eta", sort_key::eta},
	{"state", sort_key::state},
	{"added", sort_key::added},
}};

constexpr std::array<std::string_view, 8> group_names{
	"all", "active", "downloading", "seeding", "finished", "checking", "paused", "error"};

/// As it is: what is compared and sent back must not change.
std::string text_of(json const &object, char const *name)
{
	auto const &value = member(object, name);
	return value.is_string() ? value.get<std::string>() : std::string();
}

torrent_view::stretches stretches_of(json const &object, std::string const &name)
{
	torrent_view::stretches all;
	auto const &found = member(object, name.c_str());
	if (!found.is_array())
		return all;
	for (auto const &range : found) {
		if (range.is_object())
			all.listed.emplace_back(number(range, "offset_bytes"), number(range, "length_bytes"));
	}
	all.more = number(object, (name + "_more").c_str());
	return all;
}

torrent_view read_torrent(json const &object)
{
	torrent_view t;
	t.info_hash = text_of(object, "info_hash");
	t.name = text_of(object, "name");
	t.target = text_of(object, "target");
	t.state = text_of(object, "state");
	t.is_seed = flag(object, "seed");
	t.is_synced = flag(object, "synced");
	t.is_verified = flag(object, "verified");
	t.size_bytes = number(object, "size_bytes");
	t.done_bytes = number(object, "done_bytes");
	t.downloaded_bytes = number(object, "downloaded_bytes");
	t.uploaded_bytes = number(object, "uploaded_bytes");
	t.down_rate = number(object, "down_rate");
	t.up_rate = number(object, "up_rate");
	t.peers = number(object, "peers");
	t.seeds = number(object, "seeds");
	t.pieces_total = number(object, "pieces_total");
	t.pieces_done = number(object, "pieces_done");
	t.piece_bytes = number(object, "piece_bytes");
	t.hash_failures = number(object, "hash_failures");
	t.read_errors = number(object, "read_errors");
	t.retries = number(object, "retries");
	t.progress = fraction(object, "progress");
	t.eta_seconds = maybe_number(object, "eta_seconds");
	t.added_unix_ms = number(object, "added_unix_ms");
	if (auto const &failure = member(object, "error"); !failure.is_null())
		t.failure = wire::error_from_json(failure);
	t.bad_pieces = maybe_number(object, "bad_pieces");
	t.bad = stretches_of(object, "bad_ranges");
	t.unreadable = stretches_of(object, "unreadable_ranges");
	t.is_warming = flag(object, "warming");
	t.warm_bytes = maybe_number(object, "warm_bytes");
	t.upload_limit = number(object, "upload_limit");
	t.download_limit = number(object, "download_limit");
	t.priority = text_of(object, "priority");
	t.is_held = flag(object, "held");
	t.slow_start_rate = maybe_number(object, "slow_start_rate");
	return t;
}

int compare_text(std::string const &a, std::string const &b)
{
	auto const order = lower_case(a).compare(lower_case(b));
	return order != 0 ? order : a.compare(b);
}

template <class Number>
int larger_first(Number a, Number b)
{
	return a > b ? -1 : a < b ? 1 : 0;
}

int compare(torrent_view const &a, torrent_view const &b, sort_key key)
{
	switch (key) {
	case sort_key::name:
		return compare_text(a.name, b.name);
	case sort_key::path:
		return compare_text(a.target, b.target);
	case sort_key::progress:
		return larger_first(a.progress, b.progress);
	case sort_key::speed:
		return larger_first(a.down_rate + a.up_rate, b.down_rate + b.up_rate);
	case sort_key::down:
		return larger_first(a.down_rate, b.down_rate);
	case sort_key::up:
		return larger_first(a.up_rate, b.up_rate);
	case sort_key::peers:
		return larger_first(a.peers, b.peers);
	case sort_key::size:
		return larger_first(a.size_bytes, b.size_bytes);
	case sort_key::eta:
		return larger_first(a.eta_seconds.value_or(0), b.eta_seconds.value_or(0));
	case sort_key::state:
		return compare_text(a.state, b.state);
	case sort_key::added:
		return larger_first(a.added_unix_ms, b.added_unix_ms);
	}
	return 0;
}

bool is_in_group(torrent_view const &t, std::string_view group)
{
	if (group == "all")
		return true;
	if (group == "active")
		return t.down_rate > 0 || t.up_rate > 0 || t.state == "checking" || t.state == "syncing" ||
			t.state == "verifying";
	if (group == "finished")
		return t.is_finished();
	return t.state == group;
}

} // namespace

result<torrent_list> read_torrents(json const &status_reply)
{
	auto const found = status_reply.find("torrents");
	if (found == status_reply.end() || !found->is_array())
		return make_error(errc::protocol, "the reply to status has no list of torrents");
	torrent_list list;
	for (auto const &object : *found) {
		if (!object.is_object())
			return make_error(errc::protocol, "the reply to status lists something that is no torrent");
		list.torrents.push_back(read_torrent(object));
		list.raw.push_back(object);
	}
	return list;
}

std::optional<sort_key> sort_key_from_string(std::string_view name)
{
	auto const found = std::ranges::find(key_names, name, &key_name::name);
	return found == key_names.end() ? std::nullopt : std::optional(found->key);
}

std::string_view to_string(sort_key key)
{
	return key_names[static_cast<std::size_t>(key)].name;
}

sort_key next_sort_key(sort_key key, bool is_backwards)
{
	auto const step = is_backwards ? key_names.size() - 1 : 1;
	return key_names[(static_cast<std::size_t>(key) + step) % key_names.size()].key;
}

std::string sort_key_names()
{
	std::string names;
	for (auto const &entry : key_names) {
		names += names.empty() ? "" : ", ";
		names += entry.name;
	}
	return names;
}

std::vector<std::size_t> sorted(std::vector<torrent_view> const &torrents, sort_key key, bool is_reversed)
{
	std::vector<std::size_t> order(torrents.size());
	std::iota(order.begin(), order.end(), std::size_t{0});
	std::ranges::stable_sort(order, [&](std::size_t i, std::size_t j) {
		auto const &a = torrents[i];
		auto const &b = torrents[j];
		if (key == sort_key::eta && a.eta_seconds.has_value() != b.eta_seconds.has_value())
			return a.eta_seconds.has_value();
		auto const order_by_key = compare(a, b, key);
		if (order_by_key != 0)
			return is_reversed ? order_by_key > 0 : order_by_key < 0;
		return std::tie(a.name, a.target, a.info_hash) < std::tie(b.name, b.target, b.info_hash);
	});
	return order;
}

std::span<std::string_view const> filter_groups()
{
	return group_names;
}

std::string lower_case(std::string_view text)
{
	std::string result(text);
	for (auto &c : result) {
		if (c >= 'A' && c <= 'Z')
			c = static_cast<char>(c - 'A' + 'a');
	}
	return result;
}

torrent_filter torrent_filter::parse(std::string_view words)
{
	torrent_filter filter;
	while (!words.empty()) {
		auto const comma = words.find(',');
		auto const word = lower_case(words.substr(0, comma));
		words = comma == std::string_view::npos ? std::string_view() : words.substr(comma + 1);
		if (word.empty())
			continue;
		if (std::ranges::find(group_names, word) != group_names.end())
			filter.m_groups.push_back(word);
		else
			filter.m_texts.push_back(word);
	}
	return filter;
}

bool torrent_filter::accepts(torrent_view const &torrent) const
{
	auto const in_group = m_groups.empty() ||
		std::ranges::any_of(m_groups, [&](auto const &group) { return is_in_group(torrent, group); });
	if (!in_group || m_texts.empty())
		return in_group;
	auto const name = lower_case(torrent.name);
	auto const target = lower_case(torrent.target);
	return std::ranges::any_of(m_texts, [&](auto const &text) {
		return name.find(text) != std::string::npos || target.find(text) != std::string::npos;
	});
}

} // namespace ezio::ctl
