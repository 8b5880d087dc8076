#pragma once

#include "actors/core/result.hpp"

#include <string>
#include <string_view>

namespace ezio::wire
{

/// A key of CURVE as text: 32 bytes in Z85.
inline constexpr std::size_t curve_key_chars = 40;
inline constexpr std::size_t curve_key_bytes = 32;

/// Is that the text of a key? Public and secret keys look alike. No key begins with #, so a line that does
/// can be a comment: its first four bytes would be more than 32 bits hold.
bool is_curve_key(std::string_view text);

/// What stands in a key file. Both kinds have one line with the key; empty lines and those that begin with #
/// do not count.
enum class key_kind {
	secret,     ///< whoever reads it can pretend to be its owner
	public_key, ///< no secret; but whoever can change it chooses whom we trust
};

inline constexpr std::size_t key_file_bytes_max = 4096;

/// The key in the text of a key file; errc::invalid_argument, and @p path in the message, if there is not
/// exactly one.
result<std::string> parse_key_file(std::string_view text, std::string const &path);

/// Reads a key file. A secret one is refused (errc::denied) if others than its owner and group may read it,
/// its group may write it, or if its owner is neither root nor the caller.
result<std::string> read_key_file(std::string const &path, key_kind kind);

/// The text of a file of at most @p bytes_max bytes that decides about access. @p forbidden_mode: bits of the
/// mode that it must not have, because of @p danger ("others may read it"). errc::denied, not_found,
/// io_error.
result<std::string> read_guarded_file(
	std::string const &path, std::size_t bytes_max, unsigned forbidden_mode, std::string_view danger);

} // namespace ezio::wire
