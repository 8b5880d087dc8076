#include "config/schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace ezio
{
namespace
{

struct unit_factor {
	std::string_view name;
	std::int64_t factor; ///< in bytes or milliseconds
};

constexpr std::array<unit_factor, 4> byte_units{{
	{"KiB", std::int64_t{1} << 10},
	{"MiB", std::int64_t{1} << 20},
	{"GiB", std::int64_t{1} << 30},
	{"TiB", std::int64_t{1} << 40},
}};
constexpr std::array<unit_factor, 3> time_units{{{"ms", 1}, {"s", 1000}, {"min", 60'000}}};

error bad(std::string reason)
{
	return make_error(errc::out_of_range, std::move(reason));
}

/// The text in quotes, shortened and without control characters, so that it cannot garble a log.
std::string quoted(std::string_view text)
{
	constexpr std::size_t shown_bytes_max = 80;
	std::string out = "'";
	for (auto const c : text.substr(0, shown_bytes_max))
		out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
	return out + (text.size() > shown_bytes_max ? "...'" : "'");
}

bool is_number(setting_type type)
{
	return type == setting_type::integer || type == setting_type::size || type == setting_type::rate ||
		type == setting_type::duration;
}

std::string_view without_rate(std::string_view unit)
{
	return unit.ends_with("/s") ? unit.substr(0, unit.size() - 2) : unit;
}

std::optional<std::int64_t> factor_of(schema_row const &row, std::string_view unit)
{
	if (row.type == setting_type::integer)
		return std::nullopt;
	if (row.type == setting_type::rate && !unit.ends_with("/s"))
		return std::nullopt;
	auto const name = row.type == setting_type::rate ? without_rate(unit) : unit;
	auto const units = row.type == setting_type::duration ? std::span<unit_factor const>(time_units)
														  : std::span<unit_factor const>(byte_units);
	for (auto const &known : units) {
		if (known.name == name)
			return known.factor;
	}
	return std::nullopt;
}

result<setting_value> read_number(schema_row const &row, std::string_view text)
{
	if (row.is_auto_allowed && text == "auto")
		return setting_value{automatic{}};
	std::int64_t amount = 0;
	auto const *const text_end = text.data() + text.size();
	auto const [end, code] = std::from_chars(text.data(), text_end, amount);
	if (code == std::errc::result_out_of_range)
		return bad(quoted(text) + " is too large a number");
	if (code != std::errc{})
		return bad(quoted(text) + " is not a whole number");
	std::string_view suffix(end, static_cast<std::size_t>(text_end - end));
	if (suffix.empty())
		return setting_value{amount};
	if (suffix.starts_with(' '))
		suffix.remove_prefix(1);
	auto const factor = factor_of(row, suffix);
	if (!factor) {
		if (row.unit.empty())
			return bad(quoted(text) + " is not a whole number");
		return bad(quoted(text) + " is not a whole number with a unit such as " + std::string(row.unit));
	}
	auto const row_factor = factor_of(row, row.unit).value_or(1);
	std::int64_t scaled = 0;
	if (__builtin_mul_overflow(amount, *factor, &scaled))
		return bad(quoted(text) + " is too large a number");
	if (scaled % row_factor != 0)
		return bad(quoted(text) + " is not a whole number of " + std::string(row.unit));
	return setting_value{scaled / row_factor};
}

result<setting_value> read_list(std::string_view text)
{
	std::vector<std::string> items;
	std::string item;
	auto const finish_item = [&] {
		auto const first = item.find_first_not_of(' ');
		auto const last = item.find_last_not_of(' ');
		items.push_back(first == std::string::npos ? "" : item.substr(first, last - first + 1));
		item.clear();
	};
	for (std::size_t i = 0; i < text.size(); ++i) {
		if (text[i] == '\\') {
			if (++i == text.size())
				return bad("it ends with a backslash");
			item += text[i];
		} else if (text[i] == ',') {
			finish_item();
		} else {
			item += text[i];
		}
	}
	if (!text.empty())
		finish_item();
	return setting_value{std::move(items)};
}

std::optional<bool> boolean_of(std::string_view text)
{
	if (text == "true" || text == "on")
		return true;
	if (text == "false" || text == "off")
		return false;
	return std::nullopt;
}

bool has_control_character(std::string_view text)
{
	return std::any_of(
		text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_one_of_words(std::string_view words, std::string_view word)
{
	while (!words.empty()) {
		auto const end = std::min(words.find(' '), words.size());
		if (words.substr(0, end) == word)
			return true;
		words.remove_prefix(std::min(end + 1, words.size()));
	}
	return false;
}

result<void> judge_number(schema_row const &row, std::int64_t number)
{
	if (number < row.min)
		return bad(std::to_string(number) + " is too small");
	if (number > row.max)
		return bad(std::to_string(number) + " is too large");
	return {};
}

result<void> judge_text(schema_row const &row, std::string const &text, std::size_t bytes_max)
{
	if (text.size() > bytes_max)
		return bad("it is longer than " + std::to_string(bytes_max) + " bytes");
	if (has_control_character(text))
		return bad(quoted(text) + " contains a control character");
	if (row.type == setting_type::word && !is_one_of_words(row.words, text))
		return bad(quoted(text) + " is none of the words");
	if (row.check != nullptr) {
		if (auto const fine = row.check(text); !fine)
			return bad(quoted(text) + ": " + fine.failure().message);
	}
	return {};
}

result<void> judge_list(schema_row const &row, std::vector<std::string> const &items)
{
	if (items.size() > setting_list_items_max)
		return bad("it has more than " + std::to_string(setting_list_items_max) + " items");
	for (auto const &item : items) {
		if (item.empty())
			return bad("an item is empty");
		if (item.find(' ') != std::string::npos)
			return bad(quoted(item) + " contains a space");
		if (auto const fine = judge_text(row, item, setting_item_bytes_max); !fine)
			return fine;
	}
	return {};
}

std::string escaped(std::string_view item)
{
	std::string out;
	for (auto const c : item) {
		if (c == ',' || c == '\\')
			out += '\\';
		out += c;
	}
	return out;
}

error with_key(schema_row const &row, error e)
{
	e.message = std::string(row.key) + ": " + e.message + " (allowed: " + allowed_text(row) + ")";
	return e;
}

std::string joined_words(std::string_view words)
{
	std::string out;
	for (auto const c : words) {
		if (c == ' ')
			out += ',';
		out += c;
	}
	return out;
}

} // namespace

std::string_view to_string(setting_type type)
{
	switch (type) {
	case setting_type::boolean:
		return "boolean";
	case setting_type::integer:
		return "integer";
	case setting_type::size:
		return "size";
	case setting_type::rate:
		return "rate";
	case setting_type::duration:
		return "duration";
	case setting_type::word:
		return "word";
	case setting_type::string:
		return "string";
	case setting_type::string_list:
		return "list";
	}
	std::abort();
}

std::string allowed_text(schema_row const &row)
{
	auto const unset = [&row](std::string_view what) {
		return row.unset_help.empty() ? std::string()
									  : "; " + std::string(what) + ": " + std::string(row.unset_help);
	};
	if (is_number(row.type)) {
		auto text = std::to_string(row.min) + " to " + std::to_string(row.max);
		if (!row.unit.empty())
			text += " " + std::string(row.unit);
		return text + (row.is_auto_allowed ? ", or auto" : "") + unset("0");
	}
	switch (row.type) {
	case setting_type::boolean:
		return "true or false";
	case setting_type::word:
		return "one of: " + joined_words(row.words);
	case setting_type::string_list:
		return "a list of " + std::string(row.shape) + unset("empty");
	default:
		return std::string(row.shape) + unset("empty");
	}
}

setting_value default_value(schema_row const &row)
{
	return read_value(row, row.default_text).value();
}

std::string canonical_text(setting_value const &value)
{
	if (std::holds_alternative<automatic>(value))
		return "auto";
	if (auto const *flag = std::get_if<bool>(&value))
		return *flag ? "true" : "false";
	if (auto const *number = std::get_if<std::int64_t>(&value))
		return std::to_string(*number);
	if (auto const *text = std::get_if<std::string>(&value))
		return *text;
	std::string out;
	for (auto const &item : std::get<std::vector<std::string>>(value))
		out += (out.empty() ? "" : ",") + escaped(item);
	return out;
}

result<setting_value> read_value(schema_row const &row, std::string_view text)
{
	auto value = [&]() -> result<setting_value> {
		if (is_number(row.type))
			return read_number(row, text);
		if (row.type == setting_type::string_list)
			return read_list(text);
		if (row.type != setting_type::boolean)
			return setting_value{std::string(text)};
		auto const flag = boolean_of(text);
		if (!flag)
			return bad(quoted(text) + " is neither true nor false");
		return setting_value{*flag};
	}();
	if (value) {
		if (auto const fine = judge_value(row, *value); !fine)
			return fine.failure();
	}
	return value;
}

result<void> judge_value(schema_row const &row, setting_value const &value)
{
	if (std::holds_alternative<automatic>(value) && row.is_auto_allowed)
		return {};
	if (auto const *number = std::get_if<std::int64_t>(&value); number != nullptr && is_number(row.type))
		return judge_number(row, *number);
	if (std::holds_alternative<bool>(value) && row.type == setting_type::boolean)
		return {};
	auto const is_text = row.type == setting_type::word || row.type == setting_type::string;
	if (auto const *text = std::get_if<std::string>(&value); text != nullptr && is_text)
		return judge_text(row, *text, setting_text_bytes_max);
	auto const *items = std::get_if<std::vector<std::string>>(&value);
	if (items != nullptr && row.type == setting_type::string_list)
		return judge_list(row, *items);
	return bad("the value is not of type " + std::string(to_string(row.type)));
}

result<setting_value> parse_value(schema_row const &row, std::string_view text)
{
	auto value = read_value(row, text);
	if (!value)
		return with_key(row, value.failure());
	return value;
}

result<void> check_value(schema_row const &row, setting_value const &value)
{
	if (auto const fine = judge_value(row, value); !fine)
		return with_key(row, fine.failure());
	return {};
}

} // namespace ezio
