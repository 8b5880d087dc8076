#include "ctl/json_fields.hpp"

#include "ctl/text_format.hpp"

namespace ezio::ctl
{

using nlohmann::json;

json const &member(json const &object, char const *name)
{
	static json const none;
	if (!object.is_object())
		return none;
	auto const found = object.find(name);
	return found == object.end() ? none : *found;
}

std::string text(json const &object, char const *name)
{
	auto const &value = member(object, name);
	return value.is_string() ? printable(value.get_ref<std::string const &>()) : "-";
}

std::string value_text(json const &object, char const *name)
{
	auto const &value = member(object, name);
	return value.is_number() || value.is_boolean() ? value.dump() : text(object, name);
}

std::uint64_t number(json const &object, char const *name)
{
	return maybe_number(object, name).value_or(0);
}

std::optional<std::uint64_t> maybe_number(json const &object, char const *name)
{
	auto const &value = member(object, name);
	return value.is_number_unsigned() ? std::optional(value.get<std::uint64_t>()) : std::nullopt;
}

double fraction(json const &object, char const *name)
{
	auto const &value = member(object, name);
	return value.is_number() ? value.get<double>() : 0;
}

bool flag(json const &object, char const *name)
{
	auto const &value = member(object, name);
	return value.is_boolean() && value.get<bool>();
}

} // namespace ezio::ctl
