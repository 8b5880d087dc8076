#pragma once

#include "actors/core/result.hpp"
#include "actors/core/torrent_session.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace ezio
{

/// Least digits of an info-hash that name a torrent.
inline constexpr std::size_t selector_digits_min = 4;

/// Indices of the rows that the selectors name, ascending, each once. A selector is a prefix of an info-hash
/// (selector_digits_min digits or more, any case), an exact name or a target path; "all" names every row. One
/// that names nothing is errc::not_found, one that names several rows is errc::ambiguous unless it is a
/// complete info-hash. No selector selects nothing.
result<std::vector<std::size_t>> select_torrents(
	std::span<torrent_row const> rows, std::span<std::string const> selectors);

} // namespace ezio
