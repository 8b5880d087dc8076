#include "ctl/rate_text.hpp"

#include <array>
#include <charconv>
#include <string>

namespace ezio::ctl
{

namespace
{

struct rate_unit {
	std::string_view name;
	std::uint64_t bytes;
};
constexpr std::array<rate_unit, 5> units{{
	{"", std::uint64_t{1} << 10},
	{"B/s", 1},
	{"KiB/s", std::uint64_t{1} << 10},
	{"MiB/s", std::uint64_t{1} << 20},
	{"GiB/s", std::uint64_t{1} << 30},
}};
constexpr std::uint64_t rate_most = 0x7fffffff;

} // namespace

result<std::uint64_t> parse_rate(std::string_view text)
{
	if (text == "none")
		return std::uint64_t{0};
	std::uint64_t amount = 0;
	auto const *const text_end = text.data() + text.size();
	auto const [end, failure] = std::from_chars(text.data(), text_end, amount);
	std::string_view unit(end, static_cast<std::size_t>(text_end - end));
	if (unit.starts_with(' '))
		unit.remove_prefix(1);
	for (auto const &known : units) {
		if (failure == std::errc() && known.name == unit && amount <= rate_most / known.bytes)
			return amount * known.bytes;
	}
	return make_error(errc::invalid_argument,
		"\"" + std::string(text) + "\": expected a rate below 2 GiB/s such as 500KiB/s, 16MiB/s, or none");
}

} // namespace ezio::ctl
