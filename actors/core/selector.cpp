#include "actors/core/selector.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace ezio
{

namespace
{

bool is_hex(std::string const &text)
{
	return std::all_of(text.begin(), text.end(),
		[](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

std::string to_lower(std::string text)
{
	for (auto &c : text)
		if (c >= 'A' && c <= 'Z')
			c = static_cast<char>(c - 'A' + 'a');
	return text;
}

result<std::vector<std::size_t>> select_one(std::span<torrent_row const> rows, std::string const &selector)
{
	auto const prefix =
		selector.size() >= selector_digits_min && is_hex(selector) ? to_lower(selector) : std::string();
	std::vector<std::size_t> found;
	for (std::size_t i = 0; i < rows.size(); ++i) {
		auto const &row = rows[i];
		if (!prefix.empty() && to_lower(row.info_hash) == prefix)
			return std::vector<std::size_t>{i};
		if ((!prefix.empty() && to_lower(row.info_hash).starts_with(prefix)) || row.name == selector ||
			row.target == selector)
			found.push_back(i);
	}
	if (found.empty())
		return make_error(errc::not_found,
			"no torrent is named \"" + selector +
				"\" (give an info-hash of 4 digits or more, a name, or a target path)");
	if (found.size() > 1) {
		auto message = "\"" + selector + "\" names " + std::to_string(found.size()) + " torrents:";
		for (auto const i : found)
			message += " " + rows[i].info_hash.substr(0, 12);
		return make_error(errc::ambiguous, std::move(message));
	}
	return found;
}

} // namespace

result<std::vector<std::size_t>> select_torrents(
	std::span<torrent_row const> rows, std::span<std::string const> selectors)
{
	std::set<std::size_t> chosen;
	for (auto const &selector : selectors) {
		if (selector == "all") {
			for (std::size_t i = 0; i < rows.size(); ++i)
				chosen.insert(i);
			continue;
		}
		auto found = select_one(rows, selector);
		if (!found)
			return found.failure();
		chosen.insert(found->begin(), found->end());
	}
	return std::vector<std::size_t>(chosen.begin(), chosen.end());
}

} // namespace ezio
