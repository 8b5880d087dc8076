#include "daemon/secrets.hpp"

#include "config/schema.hpp"

#include <catch2/catch.hpp>

using namespace ezio;

TEST_CASE("what may let somebody in is hidden, whether it is set is not")
{
	get_reply reply;
	for (auto const *const key :
		{"proxy_password", "proxy_username", "trackers", "curve-secret-key", "cache-size"}) {
		setting_row row;
		row.key = key;
		row.value = row.effective = "512";
		reply.settings.push_back(row);
	}
	setting_row unset;
	unset.key = "authorized-keys";
	reply.settings.push_back(unset);
	hide_secrets(reply);
	for (std::size_t i = 0; i < 4; ++i) {
		INFO(reply.settings[i].key);
		CHECK(reply.settings[i].value == hidden_value);
		CHECK(reply.settings[i].effective == hidden_value);
	}
	CHECK(reply.settings[4].value == "512");
	CHECK(reply.settings[5].value.empty());
}

TEST_CASE("no key of our own that sounds like a secret is forgotten, and few others are hidden")
{
	std::vector<std::string_view> hidden;
	for (auto const &row : schema())
		if (may_hold_secret(row.key))
			hidden.push_back(row.key);
	CHECK(hidden == std::vector<std::string_view>{"curve-secret-key", "authorized-keys", "trackers"});
}
