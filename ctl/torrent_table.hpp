#pragma once

#include "ctl/status_columns.hpp"
#include "ctl/torrent_list.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

/// The columns of `status` within a given width: where they do not fit, names are shortened and the less
/// important columns left out. Their widths only grow, so that nothing jumps from one picture to the next.
/// Pure.
class torrent_table
{
public:
	/// Makes room for what those torrents show.
	void measure(std::vector<torrent_view> const &torrents);
	/// Chooses columns; @p is_verbose adds those that `status` shows on request only.
	void fit(std::size_t columns, bool is_verbose);

	std::string titles() const;
	/// A selected row is marked; its colour is that of the mark.
	std::string row(torrent_view const &torrent, bool is_selected, bool use_colour) const;
	/// "done 1.0 GiB / 2.0 GiB  peers 3": what did not fit.
	std::string rest(torrent_view const &torrent, bool use_colour) const;

private:
	struct slot {
		status_column const *column;
		std::size_t width;
	};
	std::size_t width_of(std::string_view column) const;

	std::map<std::string_view, std::size_t> m_widths;
	bool m_has_error = false;
	std::size_t m_columns = 0;
	std::vector<slot> m_slots;
	std::vector<status_column const *> m_rest;
};

} // namespace ezio::ctl
