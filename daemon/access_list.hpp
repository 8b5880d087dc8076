#pragma once

#include "actors/core/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ezio
{

/// What a client may do: ask, or change things as well.
enum class access_role : std::uint8_t { read_only, full };

/// One line of the list.
struct authorized_key {
	std::string key; ///< public, Z85
	access_role role = access_role::read_only;
	std::string name; ///< for the log
};

inline constexpr std::size_t access_list_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t access_list_keys_max = 4096;
inline constexpr std::size_t access_name_bytes_max = 64;

/// The clients that are let in over tcp. A plain value.
class access_list
{
public:
	/// One key on a line: KEY ROLE NAME; the name is the rest of the line. Empty lines and those that begin
	/// with # do not count. errc::invalid_argument names @p file and the first line that cannot be right: a
	/// list is taken as a whole or not at all.
	static result<access_list> parse(std::string_view text, std::string const &file);
	/// Reads it from a file that only its owner, root or the caller, can write; errc::denied otherwise.
	static result<access_list> read(std::string const &path);

	/// Null: not let in.
	authorized_key const *find(std::string_view key) const;
	std::size_t size() const { return m_keys.size(); }
	/// Does it lack a key that @p before had?
	bool lacks_any_of(access_list const &before) const;

private:
	std::map<std::string, authorized_key, std::less<>> m_keys;
};

} // namespace ezio
