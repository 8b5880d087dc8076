#include "ctl/wire/z85.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>

namespace ezio::wire
{
namespace
{

constexpr std::string_view alphabet =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(alphabet.size() == 85);

constexpr std::size_t group_bytes = 4;
constexpr std::size_t group_chars = 5;

} // namespace

std::string z85_encode(std::string_view bytes)
{
	assert(bytes.size() % group_bytes == 0);
	std::string text;
	text.reserve(bytes.size() / group_bytes * group_chars);
	for (std::size_t i = 0; i + group_bytes <= bytes.size(); i += group_bytes) {
		std::uint32_t group = 0;
		for (auto const byte : bytes.substr(i, group_bytes))
			group = group << 8 | static_cast<unsigned char>(byte);
		std::array<char, group_chars> chars{};
		for (auto place = chars.rbegin(); place != chars.rend(); ++place) {
			*place = alphabet[group % alphabet.size()];
			group /= static_cast<std::uint32_t>(alphabet.size());
		}
		text.append(chars.begin(), chars.end());
	}
	return text;
}

result<std::string> z85_decode(std::string_view text)
{
	if (text.size() % group_chars != 0)
		return make_error(errc::invalid_argument, "not Z85: the length is no multiple of five");
	std::string bytes;
	bytes.reserve(text.size() / group_chars * group_bytes);
	for (std::size_t i = 0; i < text.size(); i += group_chars) {
		std::uint64_t group = 0;
		for (auto const c : text.substr(i, group_chars)) {
			auto const digit = alphabet.find(c);
			if (digit == std::string_view::npos)
				return make_error(
					errc::invalid_argument, "not Z85: it has a character that does not belong there");
			group = group * alphabet.size() + digit;
		}
		if (group > UINT32_MAX)
			return make_error(errc::invalid_argument, "not Z85: a group of characters is too large");
		for (int shift = 24; shift >= 0; shift -= 8)
			bytes.push_back(static_cast<char>(static_cast<unsigned char>(group >> shift)));
	}
	return bytes;
}

} // namespace ezio::wire
