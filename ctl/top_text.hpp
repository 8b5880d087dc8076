#pragma once

#include "ctl/screen.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace ezio::ctl
{

// What the live view of one daemon says in words, and how many lines it has for what.

/// Longer words are not typed.
inline constexpr std::size_t search_bytes_max = 64;

/// Lines above the list, the last of them its titles: fewer on a small screen.
std::size_t list_header_lines(screen_size size);
/// Lines that a list or a page of text has for itself.
std::size_t list_rows(screen_size size);
std::size_t text_rows(screen_size size);

/// "every 2 s"
std::string every(double seconds);
std::span<std::string_view const> top_help();

} // namespace ezio::ctl
