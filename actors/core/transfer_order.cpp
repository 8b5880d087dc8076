#include "actors/core/transfer_order.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace ezio
{

std::set<std::string> transfer_order::held(std::vector<candidate> const &torrents, monotonic_time now)
{
	std::vector<candidate const *> waiting;
	for (auto const &torrent : torrents) {
		if (torrent.wants_data)
			waiting.push_back(&torrent);
	}
	auto const is_one_by_one = m_kind == kind::small_first;
	std::ranges::sort(waiting, [&](candidate const *a, candidate const *b) {
		auto const size_of = [&](candidate const *c) { return is_one_by_one ? c->size_bytes : 0; };
		return std::tuple(b->priority, size_of(a), std::string_view(a->info_hash)) <
			std::tuple(a->priority, size_of(b), std::string_view(b->info_hash));
	});

	std::set<std::string> held;
	std::map<std::string, history> histories;
	bool is_taken = false; // somebody who goes first receives something
	for (auto first = waiting.begin(); first != waiting.end();) {
		auto const last =
			is_one_by_one ? first + 1 : std::find_if(first, waiting.end(), [&](auto const *other) {
				return other->priority != (*first)->priority;
			});
		bool is_moving = false;
		for (; first != last; ++first) {
			auto const &torrent = **first;
			auto const known = m_histories.find(torrent.info_hash);
			auto past =
				known == m_histories.end() ? history{torrent.received_bytes, now, false} : known->second;
			// What trickles in while it is held says nothing of what it could get.
			if (is_taken || past.was_held || torrent.received_bytes > past.received_bytes)
				past.since = now;
			past.received_bytes = torrent.received_bytes;
			past.was_held = is_taken;
			histories.emplace(torrent.info_hash, past);
			if (is_taken)
				held.insert(torrent.info_hash);
			is_moving = is_moving || now - past.since < stall_after;
		}
		is_taken = is_taken || is_moving;
	}
	m_histories = std::move(histories);
	return held;
}

} // namespace ezio
