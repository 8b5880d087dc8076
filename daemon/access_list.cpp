#include "daemon/access_list.hpp"

#include "ctl/wire/curve_key.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ezio
{

namespace
{

constexpr std::string_view blank = " \t\r";

std::string_view take_word(std::string_view &line)
{
	auto const begin = line.find_first_not_of(blank);
	if (begin == std::string_view::npos)
		return std::exchange(line, {});
	auto const end = std::min(line.find_first_of(blank, begin), line.size());
	auto const word = line.substr(begin, end - begin);
	line.remove_prefix(end);
	return word;
}

std::string_view trimmed(std::string_view text)
{
	auto const begin = text.find_first_not_of(blank);
	if (begin == std::string_view::npos)
		return {};
	return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

std::optional<access_role> role_of(std::string_view word)
{
	if (word == "full")
		return access_role::full;
	if (word == "read-only")
		return access_role::read_only;
	return std::nullopt;
}

/// Empty if the line is all right, else what is wrong with it.
std::string_view read_line(std::string_view line, authorized_key &into)
{
	auto const key = take_word(line);
	if (!wire::is_curve_key(key))
		return "the first word is no public key (40 characters of Z85)";
	auto const role = role_of(take_word(line));
	if (!role)
		return "the word after the key is neither full nor read-only";
	auto const name = trimmed(line);
	if (name.empty())
		return "the name after the role is missing";
	if (name.size() > access_name_bytes_max)
		return "the name is longer than 64 bytes";
	// It goes to the log as it is.
	if (std::ranges::any_of(name, [](char c) { return c < ' ' || c > '~'; }))
		return "the name has a character that is not printable ASCII";
	into = {std::string(key), *role, std::string(name)};
	return {};
}

error fault(std::string const &file, std::size_t line, std::string_view what)
{
	return make_error(errc::invalid_argument, file + ":" + std::to_string(line) + ": " + std::string(what));
}

} // namespace

result<access_list> access_list::parse(std::string_view text, std::string const &file)
{
	access_list list;
	for (std::size_t number = 1; !text.empty(); ++number) {
		auto const end = text.find('\n');
		auto const line = trimmed(text.substr(0, end));
		text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
		if (line.empty() || line.front() == '#')
			continue;
		authorized_key entry;
		if (auto const wrong = read_line(line, entry); !wrong.empty())
			return fault(file, number, wrong);
		if (list.m_keys.size() == access_list_keys_max)
			return fault(
				file, number, "more than " + std::to_string(access_list_keys_max) + " keys are listed");
		auto key = entry.key;
		if (!list.m_keys.try_emplace(std::move(key), std::move(entry)).second)
			return fault(file, number, "the key is listed twice");
	}
	return list;
}

result<access_list> access_list::read(std::string const &path)
{
	auto const text = wire::read_guarded_file(path, access_list_bytes_max, 022,
		"others than its owner may write it, and with it choose who controls the daemon; chmod 644 helps");
	if (!text)
		return text.failure();
	return parse(*text, path);
}

authorized_key const *access_list::find(std::string_view key) const
{
	auto const found = m_keys.find(key);
	return found == m_keys.end() ? nullptr : &found->second;
}

bool access_list::lacks_any_of(access_list const &before) const
{
	return std::ranges::any_of(
		before.m_keys, [this](auto const &entry) { return !m_keys.contains(entry.first); });
}

} // namespace ezio
