#include "ctl/top_view.hpp"

#include "ctl/text_format.hpp"
#include "ctl/top_text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using namespace std::chrono_literals;

namespace
{

constexpr auto interval_steps = std::to_array<double>({0.5, 1, 2, 3, 5, 10, 30, 60});
/// An answer may take a moment before the picture counts as old.
constexpr auto answer_grace = 3s;
constexpr std::size_t shift_step = 10;
/// Beyond every page of text; drawing knows its real end.
constexpr std::size_t text_end = 1'000'000;

bool is_letter(key_press press, char letter)
{
	return press == key_press{key::character, letter};
}

} // namespace

top_view::top_view(top_settings settings) : m_settings(std::move(settings)), m_filter_given(m_settings.filter)
{
}

void top_view::heard_status(torrent_list const &list, clock::time_point when)
{
	m_torrents = list.torrents;
	m_heard = when;
	m_failure.reset();
	m_table.measure(m_torrents);
	arrange();
	if (m_page == page::detail && find_torrent(m_selected) == nullptr) {
		m_page = page::list;
		m_message = "the torrent is no longer there";
		m_is_message_bad = true;
	}
}

void top_view::heard_peers(std::string const &info_hash, result<json> reply)
{
	m_peers_of = info_hash;
	m_peers = std::move(reply);
}

void top_view::heard_outcome(top_request const &request, std::optional<error> const &failure)
{
	auto const what = std::string(request.verb) + " " + request.name;
	m_message = failure ? what + ": " + printable(to_string(*failure)) : what + ": done";
	m_is_message_bad = failure.has_value();
}

bool top_view::press(key_press press, screen_size size)
{
	m_message.clear();
	m_is_message_bad = false;
	if (m_question) {
		answer_question(press);
	} else if (m_is_searching) {
		press_in_search(press);
	} else if (press.what == key::escape || is_letter(press, 'q')) {
		return go_back();
	} else if (press.what == key::character && press_anywhere(press.character)) {
		return true;
	} else if (m_page == page::list) {
		press_in_list(press, size);
	} else {
		press_in_text(press, size);
	}
	return true;
}

std::optional<top_request> top_view::take_request()
{
	return std::exchange(m_request, std::nullopt);
}

std::optional<top_request> top_view::peers_wanted() const
{
	if (m_page != page::detail)
		return std::nullopt;
	return top_request{"peers", m_selected, {}};
}

std::optional<std::chrono::seconds> top_view::stale(clock::time_point now) const
{
	if (!m_heard || (!m_failure && now - *m_heard <= interval() + answer_grace))
		return std::nullopt;
	return std::chrono::floor<std::chrono::seconds>(now - *m_heard);
}

bool top_view::press_anywhere(char letter)
{
	switch (letter) {
	case 'h':
	case '?':
		if (m_page == page::help)
			return go_back();
		m_page_behind_help = m_page;
		m_page = page::help;
		m_text_first = 0;
		return true;
	case '+':
	case '-': {
		auto &seconds = m_settings.interval_seconds;
		auto const longer = std::ranges::find_if(interval_steps, [&](double step) { return step > seconds; });
		auto const shorter = std::ranges::find_if(
			interval_steps.rbegin(), interval_steps.rend(), [&](double step) { return step < seconds; });
		if (letter == '+' && longer != interval_steps.end())
			seconds = *longer;
		if (letter == '-' && shorter != interval_steps.rend())
			seconds = *shorter;
		m_message = every(seconds);
		return true;
	}
	case 'p':
		if (m_page != page::help)
			ask_to_pause();
		return true;
	default:
		return false;
	}
}

void top_view::press_in_list(key_press press, screen_size size)
{
	auto const movement = movement_of(press);
	if (movement != key::other && !m_order.empty())
		return select_row(scrolled(selected_row(), movement, torrents_shown(size), m_order.size() - 1));
	if (press.what == key::enter)
		return open_detail();
	if (press.what != key::character)
		return;
	switch (press.character) {
	case 's':
	case '>':
	case '<':
		m_settings.key = next_sort_key(m_settings.key, press.character == '<');
		return arrange();
	case 'r':
		m_settings.is_reversed = !m_settings.is_reversed;
		return arrange();
	case 'f':
		return cycle_filter();
	case 'v':
		m_settings.is_verbose = !m_settings.is_verbose;
		return;
	case '/':
		m_is_searching = true;
		m_search.clear();
		return;
	case 'n':
		if (m_search.empty())
			m_message = "type / and a word to search for";
		else
			search_from(selected_row() + 1);
		return;
	default:
		return;
	}
}

void top_view::press_in_text(key_press press, screen_size size)
{
	if (press.what == key::left)
		m_shift -= std::min(m_shift, shift_step);
	if (press.what == key::right)
		m_shift += shift_step;
	m_text_first = scrolled(m_text_first, movement_of(press), text_rows(size), text_end);
}

void top_view::press_in_search(key_press press)
{
	switch (press.what) {
	case key::enter:
		m_is_searching = false;
		return;
	case key::escape:
		m_is_searching = false;
		m_search.clear();
		return;
	case key::erase:
		// A character of UTF-8 goes as a whole.
		while (!m_search.empty() && (static_cast<unsigned char>(m_search.back()) & 0xc0) == 0x80)
			m_search.pop_back();
		if (!m_search.empty())
			m_search.pop_back();
		break;
	case key::character:
		if (m_search.size() >= search_bytes_max)
			return;
		m_search += press.character;
		break;
	default:
		return;
	}
	if (!m_search.empty())
		search_from(selected_row());
}

void top_view::answer_question(key_press press)
{
	auto const question = *std::exchange(m_question, std::nullopt);
	if (!is_letter(press, 'y') && !is_letter(press, 'Y')) {
		m_message = question.name + " is left as it is";
		return;
	}
	m_message = std::string(question.verb) + " " + question.name + ": asked";
	m_request = question;
}

bool top_view::go_back()
{
	if (m_page == page::list)
		return false;
	m_page = m_page == page::help ? m_page_behind_help : page::list;
	m_text_first = 0;
	arrange();
	return true;
}

void top_view::ask_to_pause()
{
	auto const *torrent = chosen();
	if (torrent == nullptr)
		return;
	// After an error, resume is what goes on.
	auto const is_still = torrent->state == "paused" || torrent->state == "error";
	m_question = top_request{is_still ? "resume" : "pause", torrent->info_hash, printable(torrent->name)};
}

void top_view::open_detail()
{
	if (chosen() == nullptr)
		return;
	m_page = page::detail;
	m_text_first = 0;
	m_shift = 0;
	if (m_peers_of != m_selected)
		m_peers.reset();
	m_request = peers_wanted();
}

void top_view::cycle_filter()
{
	std::vector<std::string> choices;
	auto const groups = filter_groups();
	if (!m_filter_given.empty() && std::ranges::find(groups, m_filter_given) == groups.end())
		choices.push_back(m_filter_given);
	choices.insert(choices.end(), groups.begin(), groups.end());
	auto const now = m_settings.filter.empty() ? "all" : m_settings.filter;
	auto const found = std::ranges::find(choices, now);
	auto const next = found == choices.end() ? 0 : static_cast<std::size_t>(found - choices.begin()) + 1;
	m_settings.filter = choices[next % choices.size()];
	arrange();
}

void top_view::search_from(std::size_t row)
{
	auto const word = lower_case(m_search);
	for (std::size_t i = 0; i < m_order.size(); ++i) {
		auto const candidate = (row + i) % m_order.size();
		auto const &t = m_torrents[m_order[candidate]];
		for (auto const *text : {&t.name, &t.target, &t.info_hash}) {
			if (lower_case(*text).find(word) != std::string::npos)
				return select_row(candidate);
		}
	}
	m_message = "nothing shown has \"" + printable(m_search) + "\" in name, target or info-hash";
	m_is_message_bad = true;
}

void top_view::arrange()
{
	auto const filter = torrent_filter::parse(m_settings.filter);
	m_order = sorted(m_torrents, m_settings.key, m_settings.is_reversed);
	std::erase_if(m_order, [&](std::size_t index) { return !filter.accepts(m_torrents[index]); });
	if (!m_order.empty())
		select_row(selected_row());
}

torrent_view const *top_view::find_torrent(std::string_view info_hash) const
{
	auto const found = std::ranges::find(m_torrents, info_hash, &torrent_view::info_hash);
	return found == m_torrents.end() ? nullptr : &*found;
}

torrent_view const *top_view::chosen() const
{
	// What a filter hides must not be acted upon.
	return m_page == page::list && m_order.empty() ? nullptr : find_torrent(m_selected);
}

std::size_t top_view::selected_row() const
{
	auto const found = std::ranges::find_if(
		m_order, [this](std::size_t index) { return m_torrents[index].info_hash == m_selected; });
	// One that has vanished leaves its place to its neighbour.
	return found == m_order.end() ? std::min(m_row, m_order.empty() ? 0 : m_order.size() - 1)
								  : static_cast<std::size_t>(found - m_order.begin());
}

void top_view::select_row(std::size_t row)
{
	m_row = row;
	// In the page of one torrent it stays that one, also where the filter no longer passes it.
	if (m_page == page::list)
		m_selected = m_torrents[m_order[row]].info_hash;
}

} // namespace ezio::ctl
