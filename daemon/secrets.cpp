#include "daemon/secrets.hpp"

#include <algorithm>
#include <array>

namespace ezio
{

bool may_hold_secret(std::string_view key)
{
	constexpr std::array<std::string_view, 3> own{"curve-secret-key", "authorized-keys", "trackers"};
	// libtorrent has several, and another version may have more.
	constexpr std::array<std::string_view, 4> parts{"password", "username", "secret", "token"};
	return std::find(own.begin(), own.end(), key) != own.end() ||
		std::any_of(parts.begin(), parts.end(),
			[key](std::string_view part) { return key.find(part) != std::string_view::npos; });
}

void hide_secrets(get_reply &reply)
{
	for (auto &row : reply.settings) {
		if (!may_hold_secret(row.key))
			continue;
		// Whether there is one may be known.
		for (auto *const value : {&row.value, &row.effective}) {
			if (!value->empty())
				*value = hidden_value;
		}
	}
}

} // namespace ezio
