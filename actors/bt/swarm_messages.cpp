#include "actors/bt/swarm_messages.hpp"

#include <libtorrent/bencode.hpp>
#include <libtorrent/entry.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace ezio
{
namespace
{

enum class message_type : std::uint8_t {
	have = 4,
	suggest_piece = 13,
	have_all = 14,
	reject_request = 16,
	extended = 20
};

void append(std::vector<char> &out, std::uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		out.push_back(static_cast<char>(number >> shift & 0xff));
}

/// The start of a message with so many bytes behind its type.
std::vector<char> begin_message(message_type type, std::size_t more)
{
	std::vector<char> message;
	append(message, static_cast<std::uint32_t>(1 + more));
	message.push_back(static_cast<char>(type));
	return message;
}

std::vector<char> piece_message(message_type type, piece_index piece)
{
	auto message = begin_message(type, sizeof(std::uint32_t));
	append(message, static_cast<std::uint32_t>(to_int(piece)));
	return message;
}

} // namespace

std::vector<char> have_message(piece_index piece)
{
	return piece_message(message_type::have, piece);
}

std::vector<char> have_all_message()
{
	return begin_message(message_type::have_all, 0);
}

std::vector<char> suggest_message(piece_index piece)
{
	return piece_message(message_type::suggest_piece, piece);
}

std::vector<char> reject_message(piece_index piece, std::uint32_t offset_bytes, std::uint32_t length_bytes)
{
	auto message = begin_message(message_type::reject_request, 3 * sizeof(std::uint32_t));
	append(message, static_cast<std::uint32_t>(to_int(piece)));
	append(message, offset_bytes);
	append(message, length_bytes);
	return message;
}

std::vector<char> dont_have_message(std::uint8_t number, piece_index piece)
{
	std::vector<char> body;
	append(body, static_cast<std::uint32_t>(to_int(piece)));
	return extended_message(number, body);
}

std::vector<char> extended_message(std::uint8_t number, std::span<char const> body)
{
	auto message = begin_message(message_type::extended, 1 + body.size());
	message.push_back(static_cast<char>(number));
	message.insert(message.end(), body.begin(), body.end());
	return message;
}

std::vector<char> pex_body(std::span<listen_endpoint const> added)
{
	std::string v4;
	std::string v6;
	for (auto const &where : added) {
		auto &out = where.is_v6 ? v6 : v4;
		out.append(where.address.begin(), where.address.begin() + (where.is_v6 ? 16 : 4));
		out.push_back(static_cast<char>(where.port >> 8));
		out.push_back(static_cast<char>(where.port & 0xff));
	}
	std::vector<char> body;
	if (added.empty())
		return body;
	lt::entry message(lt::entry::dictionary_t);
	message["added.f"] = std::string(v4.size() / 6, '\0');
	message["added6.f"] = std::string(v6.size() / 18, '\0');
	message["added"] = std::move(v4);
	message["added6"] = std::move(v6);
	lt::bencode(std::back_inserter(body), message);
	return body;
}

std::optional<listen_endpoint> to_core(lt::address const &address, std::uint16_t port)
{
	listen_endpoint where;
	where.port = port;
	if (address.is_v4()) {
		auto const bytes = address.to_v4().to_bytes();
		std::copy(bytes.begin(), bytes.end(), where.address.begin());
	} else {
		// A link-local address means nothing without its interface.
		if (address.to_v6().is_link_local())
			return std::nullopt;
		where.is_v6 = true;
		where.address = address.to_v6().to_bytes();
	}
	if (!where.is_usable())
		return std::nullopt;
	return where;
}

lt::tcp::endpoint to_lt(listen_endpoint const &where)
{
	if (where.is_v6)
		return {lt::address_v6(where.address), where.port};
	auto const &bytes = where.address;
	return {lt::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]}), where.port};
}

} // namespace ezio
