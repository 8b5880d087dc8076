#pragma once

#include "actors/core/result.hpp"
#include "ctl/text_format.hpp"
#include "ctl/torrent_list.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

/// One column of `status` and `top`.
struct status_column {
	std::string_view name; ///< as --columns has it
	std::string_view title;
	bool is_right_aligned;
	cell (*make)(torrent_view const &);
};
std::span<status_column const> status_columns();
/// Null if there is none of that name.
status_column const *find_status_column(std::string_view name);

/// The columns of `status` in the order asked for. errc::invalid_argument names an unknown one.
result<std::vector<std::string>> parse_columns(std::string_view comma_list);
std::string_view default_columns();

/// An SGR code.
std::string_view colour_of_state(std::string_view state);

} // namespace ezio::ctl
