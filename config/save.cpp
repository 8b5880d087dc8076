#include "config/save.hpp"

#include "actors/core/file_replace.hpp"
#include "config/load.hpp"
#include "config/toml_tree.hpp"

#include <algorithm>
#include <array>

namespace ezio
{
namespace
{

/// The byte that a position means; the end of the text if it lies beyond.
std::size_t offset_of(std::string_view text, toml_position at)
{
	std::size_t offset = 0;
	for (std::uint32_t line = 1; line < at.line; ++line) {
		offset = text.find('\n', offset);
		if (offset == std::string_view::npos)
			return text.size();
		++offset;
	}
	auto const is_continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
	for (std::uint32_t column = 1; column < at.column && offset < text.size(); ++column) {
		++offset;
		while (offset < text.size() && is_continuation(text[offset]))
			++offset;
	}
	return offset;
}

std::size_t after_line(std::string_view text, std::size_t offset)
{
	auto const end = text.find('\n', offset);
	return end == std::string_view::npos ? text.size() : end + 1;
}

std::string_view line_end(std::string_view text)
{
	return text.find("\r\n") != std::string_view::npos ? "\r\n" : "\n";
}

/// The text with a line put at @p offset, which is the begin of a line or the end of the text.
std::string with_line(std::string_view text, std::size_t offset, std::string const &line)
{
	std::string out(text.substr(0, offset));
	if (!out.empty() && out.back() != '\n')
		out += line_end(text);
	out += line;
	out += line_end(text);
	return out += text.substr(offset);
}

std::string edited(std::string_view text, toml_node const &root, std::string_view table, std::string_view key,
	std::string_view value_toml)
{
	auto const assignment = std::string(key) + " = " + std::string(value_toml);
	auto const *found = find_member(root, table);
	if (found == nullptr) {
		std::string const gap(text.empty() ? "" : line_end(text));
		auto const header = "[" + std::string(table) + "]" + std::string(line_end(text));
		return with_line(text, text.size(), gap + header + assignment);
	}
	if (auto const *old = find_member(*found, key); old != nullptr) {
		std::string out(text);
		auto const begin = offset_of(text, old->begin);
		return out.replace(begin, offset_of(text, old->end) - begin, value_toml);
	}
	auto const begin = offset_of(text, found->begin);
	auto const opening = begin < text.size() ? text[begin] : '\0';
	if (opening == '[')
		return with_line(text, after_line(text, begin), assignment);
	if (opening == '{') {
		std::string out(text);
		return out.insert(begin + 1, " " + assignment + (found->members.empty() ? " " : ","));
	}
	// A table made of dotted keys: the new key goes below its last sibling, where the root table still is.
	toml_position last = found->begin;
	for (auto const &member : found->members)
		last = std::max(last, member.value.end);
	return with_line(text, after_line(text, offset_of(text, last)), std::string(table) + "." + assignment);
}

/// The root with one key set, regardless of places.
toml_node with_key(toml_node root, std::string_view table, std::string_view key, toml_node const &value)
{
	auto const member_of = [](toml_node &parent, std::string_view name) -> toml_node & {
		for (auto &member : parent.members) {
			if (member.key == name)
				return member.value;
		}
		parent.members.push_back({std::string(name), {}, {}});
		return parent.members.back().value;
	};
	auto &parent = member_of(root, table);
	parent.what = toml_node::kind::table;
	member_of(parent, key) = value;
	return root;
}

error not_editable(std::string const &name, std::string const &reason)
{
	return make_error(errc::invalid_argument, name + ": " + reason);
}

std::string quoted(std::string_view text)
{
	constexpr std::string_view digits = "0123456789ABCDEF";
	std::string out = "\"";
	for (auto const c : text) {
		auto const byte = static_cast<unsigned char>(c);
		if (c == '"' || c == '\\') {
			out += '\\';
			out += c;
		} else if (byte < 0x20 || byte == 0x7f) {
			out += "\\u00";
			out += digits[byte >> 4U];
			out += digits[byte & 0xfU];
		} else {
			out += c;
		}
	}
	return out + "\"";
}

} // namespace

result<std::string> edit_config(std::string_view toml, std::string const &name, std::string_view table,
	std::string_view key, std::string_view value_toml)
{
	auto const before = parse_toml(toml);
	if (before.fault)
		return not_editable(
			name, "line " + std::to_string(before.fault->at.line) + ": " + before.fault->message);
	auto const value = parse_toml("value = " + std::string(value_toml));
	auto const *node = value.fault ? nullptr : find_member(value.root, "value");
	if (node == nullptr || value.root.members.size() != 1)
		return not_editable(name, "'" + std::string(value_toml) + "' is not a value");
	auto text = edited(toml, before.root, table, key, value_toml);
	auto const after = parse_toml(text);
	if (after.fault || !is_same(after.root, with_key(before.root, table, key, *node))) {
		return not_editable(name,
			"the layout of [" + std::string(table) + "] does not allow '" + std::string(key) +
				"' to be changed by the program; edit it by hand");
	}
	if (text.size() > config_file_bytes_max)
		return not_editable(
			name, "the file would be longer than " + std::to_string(config_file_bytes_max) + " bytes");
	return text;
}

result<void> save_key(
	std::string const &path, std::string_view table, std::string_view key, std::string_view value_toml)
{
	auto old = read_config_text(path);
	if (!old && old.failure().os_errno != ENOENT)
		return old.failure();
	auto const text = edit_config(old ? *old : std::string(), path, table, key, value_toml);
	if (!text)
		return text.failure();
	return replace_file(path, *text);
}

std::string toml_text(setting_value const &value)
{
	if (auto const *text = std::get_if<std::string>(&value))
		return quoted(*text);
	auto const *items = std::get_if<std::vector<std::string>>(&value);
	if (items == nullptr) {
		auto const text = canonical_text(value);
		return std::holds_alternative<automatic>(value) ? quoted(text) : text;
	}
	std::string out;
	for (auto const &item : *items)
		out += (out.empty() ? "" : ", ") + quoted(item);
	return "[" + out + "]";
}

std::string foreign_toml_text(std::string_view canonical_value)
{
	constexpr std::size_t digits_max = 18;
	auto digits = canonical_value;
	if (digits.starts_with('-'))
		digits.remove_prefix(1);
	auto const is_number = !digits.empty() && digits.size() <= digits_max &&
		digits.find_first_not_of("0123456789") == std::string_view::npos &&
		(digits.front() != '0' || canonical_value == "0");
	if (is_number || canonical_value == "true" || canonical_value == "false")
		return std::string(canonical_value);
	return quoted(canonical_value);
}

} // namespace ezio
