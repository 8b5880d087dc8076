#pragma once

#include "actors/control_types.hpp"

#include <string_view>

namespace ezio
{

/// Stands where a value is not shown.
inline constexpr std::string_view hidden_value = "(hidden)";

/// May the value of this key let somebody in somewhere? Passwords and user names of proxies, tracker URLs
/// with their pass keys, where the daemon's own keys lie.
bool may_hold_secret(std::string_view key);

/// What a client that may only read gets of the settings: values that may hold secrets are hidden.
void hide_secrets(get_reply &reply);

} // namespace ezio
