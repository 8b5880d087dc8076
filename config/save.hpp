#pragma once

#include "config/schema.hpp"

#include <string>
#include <string_view>

namespace ezio
{

/// @p toml with one key changed and everything else, comments and layout included, as it was: the value is
/// replaced where it stands, or the key is inserted under its table's header, or the table is appended.
/// table and key are bare TOML names; @p value_toml is the value as TOML spells it (toml_text). @p name
/// stands for the file's name in errors. errc::invalid_argument if the text is not TOML or the result would
/// not mean the same with that one key changed.
result<std::string> edit_config(std::string_view toml, std::string const &name, std::string_view table,
	std::string_view key, std::string_view value_toml);

/// edit_config on a file, atomically and durably: written to a temporary file beside it, with its mode and
/// owner, synced, renamed, and the directory synced. A symbolic link is followed. A missing file is created
/// with mode 0644. On failure the file is as it was (io_error with operation and path).
result<void> save_key(
	std::string const &path, std::string_view table, std::string_view key, std::string_view value_toml);

/// How TOML spells a value: 2048, "auto", true, ["a", "b"].
std::string toml_text(setting_value const &value);

/// How TOML spells the canonical text of a foreign key: true and false and whole numbers bare, else quoted.
std::string foreign_toml_text(std::string_view canonical_value);

} // namespace ezio
