#pragma once

#include "ctl/curve.hpp"

#include <string>

namespace ezio::ctl
{

/// Writes BASE.key (mode 0600) and BASE.pub (mode 0644), both flushed to the disk with their directory.
/// Neither may exist (errc::already_exists): a key that is written over is lost. On failure neither is left
/// behind.
result<void> write_key_files(std::string const &base, key_pair const &keys);

/// The line of control.authorized-keys that lets a client in.
std::string authorized_line(std::string const &public_key, std::string const &role, std::string const &name);

} // namespace ezio::ctl
