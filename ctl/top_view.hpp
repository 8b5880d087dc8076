#pragma once

#include "actors/core/error.hpp"
#include "ctl/keys.hpp"
#include "ctl/probe.hpp"
#include "ctl/screen.hpp"
#include "ctl/torrent_list.hpp"
#include "ctl/torrent_table.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio::ctl
{

/// What the command line says of the view; keys change it.
struct top_settings {
	std::string endpoint = {};
	sort_key key = sort_key::name;
	bool is_reversed = false;
	std::string filter = {}; ///< as --filter has it
	bool is_verbose = false;
	double interval_seconds = 2;
	bool use_colour = false;
};

/// What a key asks the daemon to do.
struct top_request {
	std::string_view verb; ///< "pause", "resume", or "peers"
	std::string info_hash;
	std::string name; ///< for the line that tells what came of it
};

/// The live view of one daemon: answers and keys in, lines out. It knows neither the terminal nor the daemon.
/// Pure but for what it is told; used by one thread.
class top_view
{
public:
	explicit top_view(top_settings settings);

	void heard_status(torrent_list const &list, clock::time_point when);
	void heard_stats(nlohmann::json stats) { m_stats = std::move(stats); }
	/// Of the torrent that was asked for; a failure is shown in their place.
	void heard_peers(std::string const &info_hash, result<nlohmann::json> reply);
	/// What came of a request to pause or to resume.
	void heard_outcome(top_request const &request, std::optional<error> const &failure);
	/// The daemon did not tell how its torrents are; what is shown stays, and is marked.
	void failed(error const &why) { m_failure = why; }

	/// False: it has had enough.
	[[nodiscard]] bool press(key_press press, screen_size size);
	/// What keys have asked for since the last call.
	std::optional<top_request> take_request();
	/// The torrent whose peers are shown.
	std::optional<top_request> peers_wanted() const;
	std::chrono::duration<double> interval() const
	{
		return std::chrono::duration<double>(m_settings.interval_seconds);
	}
	/// How old the picture is, if it is older than it should be.
	std::optional<std::chrono::seconds> stale(clock::time_point now) const;

	/// At most size.rows lines, none wider than size.columns.
	std::vector<std::string> draw(screen_size size, clock::time_point now);

private:
	enum class page : std::uint8_t { list, detail, help };

	void press_in_list(key_press press, screen_size size);
	void press_in_text(key_press press, screen_size size);
	void press_in_search(key_press press);
	void answer_question(key_press press);
	bool press_anywhere(char letter);
	bool go_back();
	void ask_to_pause();
	void open_detail();
	void cycle_filter();
	void search_from(std::size_t row);

	void arrange();
	torrent_view const *find_torrent(std::string_view info_hash) const;
	/// The one that keys act upon; null if none is shown.
	torrent_view const *chosen() const;
	std::size_t selected_row() const;
	void select_row(std::size_t row);
	std::size_t rows_per_torrent() const { return m_settings.is_verbose ? 2 : 1; }
	std::size_t torrents_shown(screen_size size) const;

	std::string first_line(std::size_t columns, clock::time_point now) const;
	std::vector<std::string> header(screen_size size, clock::time_point now) const;
	/// What is between the header and the last two lines, and tells which part of what it is.
	struct part {
		std::vector<std::string> lines;
		std::size_t first = 0, last = 0, count = 0;
	};
	part list_part(screen_size size);
	part text_part(screen_size size);
	std::vector<std::string> detail_lines(std::size_t columns);
	std::string status_line(std::size_t columns) const;

	top_settings m_settings;
	std::string m_filter_given; ///< the one that the command line asked for
	std::vector<torrent_view> m_torrents;
	std::vector<std::size_t> m_order; ///< of those shown
	torrent_table m_table;
	nlohmann::json m_stats;
	std::string m_peers_of; ///< info-hash
	std::optional<result<nlohmann::json>> m_peers;
	std::optional<clock::time_point> m_heard; ///< the last list
	std::optional<error> m_failure;           ///< of the request for a list after that

	page m_page = page::list;
	page m_page_behind_help = page::list;
	std::string m_selected;       ///< info-hash
	std::size_t m_row = 0;        ///< where it was seen last
	std::size_t m_first = 0;      ///< the torrent at the top
	std::size_t m_text_first = 0; ///< the line at the top of a page of text
	std::size_t m_shift = 0;      ///< columns that tables in text are shifted by
	std::string m_search;
	bool m_is_searching = false;
	std::optional<top_request> m_question; ///< asked of the operator
	std::optional<top_request> m_request;
	std::string m_message; ///< until the next key
	bool m_is_message_bad = false;
};

} // namespace ezio::ctl
