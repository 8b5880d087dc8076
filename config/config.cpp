#include "config/config.hpp"

#include "config/text_checks.hpp"

#include <cstdio>
#include <cstdlib>
#include <set>

namespace ezio
{
namespace
{

constexpr std::string_view foreign_table = "libtorrent";
constexpr std::string_view foreign_prefix = "libtorrent.";

[[noreturn]] void misuse(std::string_view key)
{
	std::fprintf(stderr, "configuration: '%.*s' has no such key or another type\n",
		static_cast<int>(key.size()), key.data());
	std::abort();
}

schema_row const &row_of(std::string_view key)
{
	auto const *row = find_row(key);
	if (row == nullptr)
		misuse(key);
	return *row;
}

std::size_t index_of(schema_row const &row)
{
	return static_cast<std::size_t>(&row - schema().data());
}

template <class T>
T const &typed(std::string_view key, setting_value const &value)
{
	auto const *found = std::get_if<T>(&value);
	if (found == nullptr)
		misuse(key);
	return *found;
}

error unknown_key(std::string_view key)
{
	std::vector<std::string_view> known;
	for (auto const &row : schema())
		known.push_back(row.key);
	auto const close = closest_name(key.substr(key.rfind('.') + 1), known);
	auto text = "there is no key '" + std::string(key) + "'";
	if (!close.empty())
		text += "; did you mean '" + std::string(close) + "'?";
	return make_error(errc::unknown_key, text);
}

} // namespace

configuration::configuration()
{
	m_entries.reserve(schema().size());
	for (auto const &row : schema())
		m_entries.push_back({default_value(row), value_origin::default_value});
}

configuration::entry const &configuration::at(std::string_view key) const
{
	return m_entries[index_of(row_of(key))];
}

bool configuration::boolean(std::string_view key) const
{
	return typed<bool>(key, at(key).value);
}

std::int64_t configuration::integer(std::string_view key) const
{
	return typed<std::int64_t>(key, at(key).value);
}

std::optional<std::int64_t> configuration::integer_or_auto(std::string_view key) const
{
	auto const &v = at(key).value;
	if (std::holds_alternative<automatic>(v))
		return std::nullopt;
	return typed<std::int64_t>(key, v);
}

std::string const &configuration::text(std::string_view key) const
{
	return typed<std::string>(key, at(key).value);
}

std::vector<std::string> const &configuration::list(std::string_view key) const
{
	return typed<std::vector<std::string>>(key, at(key).value);
}

setting_value const &configuration::value(schema_row const &row) const
{
	return m_entries[index_of(row)].value;
}

value_origin configuration::origin(schema_row const &row) const
{
	return m_entries[index_of(row)].origin;
}

result<std::string> configuration::get(std::string_view key) const
{
	if (auto const *row = find_row(key); row != nullptr)
		return canonical_text(value(*row));
	auto name = key;
	if (name.starts_with(foreign_prefix))
		name.remove_prefix(foreign_prefix.size());
	if (auto const found = m_libtorrent.find(std::string(name)); found != m_libtorrent.end())
		return found->second;
	return unknown_key(key);
}

result<config_change> configuration::set_foreign(
	std::string_view key, std::string_view text, foreign_key_check const &foreign)
{
	auto name = key;
	if (name.starts_with(foreign_prefix))
		name.remove_prefix(foreign_prefix.size());
	if (!foreign)
		return unknown_key(key);
	auto const canonical = foreign(name, text, foreign_kind::text);
	if (!canonical) {
		auto const &reason = canonical.failure();
		if (reason.code == errc::unknown_key)
			return unknown_key(key);
		return reason;
	}
	auto const is_new = !m_libtorrent.contains(std::string(name));
	if (is_new && m_libtorrent.size() >= foreign_keys_max)
		return make_error(errc::out_of_range,
			"more than " + std::to_string(foreign_keys_max) + " keys of libtorrent are set");
	config_change change;
	change.table = foreign_table;
	change.key = name;
	change.old_text = is_new ? "" : m_libtorrent[change.key];
	change.new_text = *canonical;
	m_libtorrent[change.key] = *canonical;
	return change;
}

result<config_change> configuration::set(
	std::string_view key, std::string_view text, foreign_key_check const &foreign)
{
	auto const *row = find_row(key);
	if (row == nullptr)
		return set_foreign(key, text, foreign);
	auto parsed = parse_value(*row, text);
	if (!parsed)
		return parsed.failure();
	auto &slot = m_entries[index_of(*row)];
	auto before = std::exchange(slot, entry{std::move(*parsed), value_origin::set});
	if (auto const faults = check_relations(); !faults.empty()) {
		slot = std::move(before);
		auto const &fault = faults.front();
		return make_error(errc::out_of_range,
			std::string(fault.key) + ": " + fault.message + " (allowed: " + fault.allowed + ")");
	}
	config_change change;
	change.table = row->table;
	change.key = row->key;
	change.old_text = canonical_text(before.value);
	change.new_text = canonical_text(slot.value);
	change.row = row;
	change.is_live = row->effect == setting_effect::live;
	return change;
}

result<void> configuration::assign(schema_row const &row, setting_value v, value_origin from)
{
	if (auto const fine = judge_value(row, v); !fine)
		return fine;
	m_entries[index_of(row)] = {std::move(v), from};
	return {};
}

void configuration::assign_foreign(std::string key, std::string canonical_value)
{
	m_libtorrent.insert_or_assign(std::move(key), std::move(canonical_value));
}

std::vector<configuration::relation_fault> configuration::check_relations() const
{
	std::vector<relation_fault> faults;
	auto const cache_mib = integer("cache-size");
	if (auto const dirty_mib = integer_or_auto("dirty-limit"); dirty_mib && *dirty_mib > cache_mib) {
		faults.push_back(
			{"dirty-limit", "cache-size", std::to_string(*dirty_mib) + " MiB is more than cache-size",
				"at most cache-size, which is " + std::to_string(cache_mib) + " MiB; or auto"});
	}
	auto const ramp_begin = integer("slow-start");
	if (auto const ramp_end = integer("slow-start-end"); ramp_begin != 0 && ramp_end <= ramp_begin) {
		faults.push_back({"slow-start", "slow-start-end",
			"it would end before it begins, at " + std::to_string(ramp_end) + " KiB/s",
			"less than slow-start-end; or 0"});
	}
	if (text("endpoint") == text("events-endpoint")) {
		faults.push_back({"events-endpoint", "endpoint", "'" + text("endpoint") + "' is taken by endpoint",
			"an endpoint of its own"});
	}
	auto const has_secret = !text("curve-secret-key").empty();
	for (std::string_view const key : {"endpoint", "events-endpoint"}) {
		if (!has_secret && is_reachable_from_outside(text(key)))
			faults.push_back(
				{key, "curve-secret-key", "'" + text(key) + "' would let everybody in who can reach it",
					"with curve-secret-key and authorized-keys; or ipc:///PATH or tcp://127.0.0.1:PORT"});
	}
	if (has_secret != !text("authorized-keys").empty()) {
		auto const is_secret_missing = !has_secret;
		faults.push_back({is_secret_missing ? "authorized-keys" : "curve-secret-key",
			is_secret_missing ? "curve-secret-key" : "authorized-keys",
			is_secret_missing ? "it counts with curve-secret-key only"
							  : "without authorized-keys nobody could connect",
			"both or none"});
	}
	std::set<std::string> components;
	for (auto const &item : list("levels")) {
		auto const component = item.substr(0, item.find('='));
		if (!components.insert(component).second)
			faults.push_back({"levels", "levels", "'" + component + "' has two levels", "one level each"});
	}
	return faults;
}

std::vector<config_change> diff(configuration const &before, configuration const &after)
{
	std::vector<config_change> changes;
	for (auto const &row : schema()) {
		if (before.value(row) == after.value(row))
			continue;
		changes.push_back({std::string(row.table), std::string(row.key), canonical_text(before.value(row)),
			canonical_text(after.value(row)), &row, row.effect == setting_effect::live});
	}
	auto const text_in = [](configuration const &c, std::string const &key) {
		auto const found = c.libtorrent().find(key);
		return found == c.libtorrent().end() ? std::string() : found->second;
	};
	std::set<std::string> names;
	for (auto const &item : before.libtorrent())
		names.insert(item.first);
	for (auto const &item : after.libtorrent())
		names.insert(item.first);
	for (auto const &name : names) {
		auto old_text = text_in(before, name);
		auto new_text = text_in(after, name);
		if (old_text != new_text)
			changes.push_back({std::string(foreign_table), name, old_text, new_text, nullptr, true});
	}
	return changes;
}

} // namespace ezio
