#include "ctl/wire/base64.hpp"

#include <array>
#include <cstdint>

namespace ezio::wire
{
namespace
{

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 0xff;

constexpr std::array<std::uint8_t, 256> make_digits()
{
	std::array<std::uint8_t, 256> digits{};
	digits.fill(no_digit);
	for (std::size_t i = 0; i < alphabet.size(); ++i)
		digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
	return digits;
}

constexpr auto digits = make_digits();

} // namespace

std::string base64_encode(std::string_view bytes)
{
	std::string text;
	text.reserve((bytes.size() + 2) / 3 * 4);
	for (std::size_t i = 0; i < bytes.size(); i += 3) {
		auto const left = bytes.size() - i;
		std::uint32_t group = std::uint32_t{static_cast<unsigned char>(bytes[i])} << 16;
		if (left > 1)
			group |= std::uint32_t{static_cast<unsigned char>(bytes[i + 1])} << 8;
		if (left > 2)
			group |= static_cast<unsigned char>(bytes[i + 2]);
		text += alphabet[group >> 18];
		text += alphabet[group >> 12 & 63];
		text += left > 1 ? alphabet[group >> 6 & 63] : '=';
		text += left > 2 ? alphabet[group & 63] : '=';
	}
	return text;
}

result<std::string> base64_decode(std::string_view text)
{
	if (text.size() % 4 != 0)
		return make_error(errc::invalid_argument, "not base64: its length is no multiple of 4");
	std::size_t padding = 0;
	while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
		++padding;

	std::string bytes;
	bytes.reserve(text.size() / 4 * 3);
	auto const digits_end = text.size() - padding;
	std::uint32_t group = 0;
	for (std::size_t i = 0; i < digits_end; ++i) {
		auto const digit = digits[static_cast<unsigned char>(text[i])];
		if (digit == no_digit)
			return make_error(errc::invalid_argument, "not base64 at character " + std::to_string(i));
		group = group << 6 | digit;
		if (i % 4 == 3) {
			bytes += static_cast<char>(group >> 16 & 0xff);
			bytes += static_cast<char>(group >> 8 & 0xff);
			bytes += static_cast<char>(group & 0xff);
			group = 0;
		}
	}
	if (padding == 2) {
		if ((group & 0xf) != 0)
			return make_error(errc::invalid_argument, "not base64: bits are set behind the last byte");
		bytes += static_cast<char>(group >> 4 & 0xff);
	} else if (padding == 1) {
		if ((group & 0x3) != 0)
			return make_error(errc::invalid_argument, "not base64: bits are set behind the last byte");
		bytes += static_cast<char>(group >> 10 & 0xff);
		bytes += static_cast<char>(group >> 2 & 0xff);
	}
	return bytes;
}

} // namespace ezio::wire
