#include "config/config_reader.hpp"

#include "config/text_checks.hpp"
#include "config/torrent_keys.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::string_view foreign_table = "libtorrent";
constexpr std::string_view torrent_table = "torrent";

std::string joined(std::vector<std::string_view> const &names)
{
	std::string out;
	for (auto const name : names)
		out += (out.empty() ? "" : ", ") + std::string(name);
	return out;
}

std::string shown(std::string_view name)
{
	constexpr std::size_t shown_bytes_max = 80;
	std::string out;
	for (auto const c : name.substr(0, shown_bytes_max))
		out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
	return name.size() > shown_bytes_max ? out + "..." : out;
}

std::string_view kind_name(toml_node::kind kind)
{
	switch (kind) {
	case toml_node::kind::boolean:
		return "a boolean";
	case toml_node::kind::integer:
		return "an integer";
	case toml_node::kind::string:
		return "a string";
	case toml_node::kind::array:
		return "an array";
	case toml_node::kind::table:
		return "a table";
	case toml_node::kind::other:
		break;
	}
	return "a floating-point number or a date";
}

/// Walks a parsed file once and notes every fault.
class reader
{
public:
	reader(std::string file, foreign_key_check const &foreign, load_report &report)
		: m_file(std::move(file)), m_foreign(foreign), m_report(report)
	{
	}

	void read(toml_node const &root)
	{
		for (auto const &member : root.members) {
			if (member.key == foreign_table) {
				read_foreign(member);
			} else if (member.key == torrent_table) {
				read_torrents(member);
			} else {
				read_table(member);
			}
		}
		read_relations(root);
		std::stable_sort(
			m_report.faults.begin(), m_report.faults.end(), [](config_fault const &a, config_fault const &b) {
				return std::pair(a.line, a.column) < std::pair(b.line, b.column);
			});
		finish();
	}

	void note(toml_position at, std::string key, std::string message, std::string allowed = {})
	{
		if (m_report.faults.size() < config_faults_max) {
			m_report.faults.push_back(
				{m_file, at.line, at.column, std::move(key), std::move(message), std::move(allowed)});
		} else {
			++m_unlisted;
		}
	}

private:
	static std::string qualified(schema_row const &row)
	{
		return std::string(row.table) + "." + std::string(row.key);
	}

	static toml_position place_of(toml_node const &root, schema_row const &row)
	{
		for (auto const &table : root.members) {
			if (table.key != row.table)
				continue;
			for (auto const &member : table.value.members) {
				if (member.key == row.key)
					return member.key_at;
			}
		}
		return {};
	}

	static std::vector<std::string_view> table_names()
	{
		std::vector<std::string_view> names;
		for (auto const &row : schema()) {
			if (names.empty() || names.back() != row.table)
				names.push_back(row.table);
		}
		names.push_back(foreign_table);
		names.push_back(torrent_table);
		return names;
	}

	static std::vector<std::string_view> key_names(std::string_view table)
	{
		std::vector<std::string_view> names;
		for (auto const &row : schema()) {
			if (row.table == table)
				names.push_back(row.key);
		}
		return names;
	}

	static std::string with_suggestion(std::string text, std::string_view name)
	{
		return name.empty() ? text : text + "; did you mean '" + std::string(name) + "'?";
	}

	void read_table(toml_member const &table)
	{
		auto const keys = key_names(table.key);
		if (keys.empty()) {
			note_stray(table);
			return;
		}
		if (table.value.what != toml_node::kind::table) {
			note(table.key_at, shown(table.key),
				"this is a table, not " + std::string(kind_name(table.value.what)), "[" + table.key + "]");
			return;
		}
		for (auto const &member : table.value.members) {
			auto const found = std::find(keys.begin(), keys.end(), member.key);
			if (found == keys.end()) {
				note_unknown_key(table.key, member, keys);
				continue;
			}
			read_key(*find_row(table.key + "." + member.key), member);
		}
	}

	/// A key at fault has its default, which says nothing about the file.
	void read_relations(toml_node const &root)
	{
		for (auto &fault : m_report.config.check_relations()) {
			auto const *row = find_row(fault.key);
			if (row == nullptr || m_bad_keys.contains(fault.key) || m_bad_keys.contains(fault.other_key))
				continue;
			note(place_of(root, *row), qualified(*row), std::move(fault.message), std::move(fault.allowed));
		}
	}

	void note_stray(toml_member const &member)
	{
		auto const name = shown(member.key);
		if (member.value.what != toml_node::kind::table && member.value.what != toml_node::kind::array) {
			auto const *row = find_row(member.key);
			if (row != nullptr) {
				note(member.key_at, name, "this key stands outside of its table",
					"[" + std::string(row->table) + "]");
				return;
			}
		}
		auto const names = table_names();
		note(member.key_at, name, with_suggestion("there is no such table", closest_name(member.key, names)),
			"one of: " + joined(names));
	}

	void note_unknown_key(
		std::string const &table, toml_member const &member, std::vector<std::string_view> const &keys)
	{
		auto const name = table + "." + shown(member.key);
		if (auto const *row = find_row(member.key); row != nullptr && row->key == member.key) {
			note(member.key_at, name, "this key stands in the wrong table",
				"[" + std::string(row->table) + "]");
			return;
		}
		note(member.key_at, name, with_suggestion("there is no such key", closest_name(member.key, keys)),
			"one of: " + joined(keys));
	}

	void read_key(schema_row const &row, toml_member const &member)
	{
		auto value = value_of(row, member.value);
		auto const assigned =
			value ? m_report.config.assign(row, std::move(*value), value_origin::file) : value.failure();
		if (assigned)
			return;
		m_bad_keys.insert(row.key);
		note(member.key_at, qualified(row), assigned.failure().message, allowed_text(row));
	}

	static result<setting_value> value_of(schema_row const &row, toml_node const &node)
	{
		auto const mismatch = [&row, &node] {
			return make_error(errc::out_of_range,
				"the value is of type " + std::string(to_string(row.type)) + ", not " +
					std::string(kind_name(node.what)));
		};
		switch (node.what) {
		case toml_node::kind::boolean:
			return setting_value{node.flag};
		case toml_node::kind::integer:
			return setting_value{node.number};
		case toml_node::kind::string:
			return value_of_string(row, node);
		case toml_node::kind::array: {
			std::vector<std::string> items;
			for (auto const &item : node.items) {
				if (item.what != toml_node::kind::string)
					return make_error(errc::out_of_range, "an item of the list is not a string");
				items.push_back(item.text);
			}
			if (row.type != setting_type::string_list)
				return mismatch();
			return setting_value{std::move(items)};
		}
		case toml_node::kind::table:
		case toml_node::kind::other:
			return mismatch();
		}
		return mismatch();
	}

	/// Quotes are for texts; for "auto" and for numbers with a unit. "2048" and "true" stay mistakes.
	static result<setting_value> value_of_string(schema_row const &row, toml_node const &node)
	{
		auto const &text = node.text;
		if (row.type == setting_type::word || row.type == setting_type::string)
			return setting_value{text};
		auto const is_bare = text.find_first_not_of("+-0123456789") == std::string::npos;
		if (row.type != setting_type::boolean && row.type != setting_type::string_list && !is_bare)
			return read_value(row, text);
		return make_error(errc::out_of_range,
			"the value is of type " + std::string(to_string(row.type)) + ", not a string");
	}

	void read_foreign(toml_member const &table)
	{
		if (table.value.what != toml_node::kind::table) {
			note(table.key_at, table.key, "this is a table", "[libtorrent]");
			return;
		}
		if (table.value.members.size() > foreign_keys_max) {
			note(table.key_at, table.key, "it has more than " + std::to_string(foreign_keys_max) + " keys");
			return;
		}
		for (auto const &member : table.value.members)
			read_foreign_key(member);
	}

	void read_foreign_key(toml_member const &member)
	{
		auto const name = std::string(foreign_table) + "." + shown(member.key);
		std::string text;
		auto kind = foreign_kind::string;
		switch (member.value.what) {
		case toml_node::kind::boolean:
			text = member.value.flag ? "true" : "false";
			kind = foreign_kind::boolean;
			break;
		case toml_node::kind::integer:
			text = std::to_string(member.value.number);
			kind = foreign_kind::integer;
			break;
		case toml_node::kind::string:
			text = member.value.text;
			break;
		case toml_node::kind::array:
		case toml_node::kind::table:
		case toml_node::kind::other:
			note(member.key_at, name, "the value is " + std::string(kind_name(member.value.what)),
				"a boolean, an integer or a string");
			return;
		}
		if (text.size() > setting_text_bytes_max) {
			note(member.key_at, name,
				"it is longer than " + std::to_string(setting_text_bytes_max) + " bytes");
			return;
		}
		auto canonical = m_foreign ? m_foreign(member.key, text, kind) : result<std::string>(text);
		if (canonical) {
			m_report.config.assign_foreign(member.key, std::move(*canonical));
		} else {
			note(member.key_at, name, canonical.failure().message);
		}
	}

	void read_torrents(toml_member const &array)
	{
		if (array.value.what != toml_node::kind::array) {
			note(array.key_at, array.key, "this is an array of tables", "[[torrent]]");
			return;
		}
		if (array.value.items.size() > torrent_entries_max) {
			note(array.key_at, array.key,
				"there are more than " + std::to_string(torrent_entries_max) + " torrents");
			return;
		}
		for (auto const &item : array.value.items) {
			if (item.what == toml_node::kind::table) {
				read_torrent(item);
			} else {
				note(item.begin, array.key, "this is not a table", "[[torrent]]");
			}
		}
	}

	void read_torrent(toml_node const &table)
	{
		torrent_entry entry;
		for (auto const &member : table.members) {
			if (member.key == "file") {
				entry.file = torrent_path(member);
			} else if (member.key == "target") {
				entry.target = torrent_path(member);
			} else if (member.key == "mode") {
				entry.what = torrent_mode(member);
			} else if (member.key == "peers") {
				entry.peers = torrent_peers(member);
			} else {
				read_torrent_key(entry, member);
			}
		}
		for (auto const *const key : {"file", "target"}) {
			if (find_member(table, key) == nullptr)
				note(table.begin, "torrent." + std::string(key), "this key is missing", "an absolute path");
		}
		m_report.config.add_torrent(std::move(entry));
	}

	void read_torrent_key(torrent_entry &entry, toml_member const &member)
	{
		auto const *const row = find_torrent_key(member.key);
		if (row == nullptr) {
			std::vector<std::string_view> keys;
			for (auto const &known : torrent_keys())
				keys.push_back(known.key);
			note_unknown_key(std::string(torrent_table), member, keys);
			return;
		}
		auto const value = value_of(*row, member.value);
		auto const judged = value ? judge_value(*row, *value) : value.failure();
		if (!judged) {
			note(member.key_at, qualified(*row), judged.failure().message, allowed_text(*row));
			return;
		}
		assign_torrent_key(entry, *row, *value);
	}

	std::string torrent_path(toml_member const &member)
	{
		auto const is_path = member.value.what == toml_node::kind::string && !member.value.text.empty() &&
			member.value.text.size() <= setting_text_bytes_max &&
			member.value.text.find('\0') == std::string::npos && check_path_or_empty(member.value.text);
		if (!is_path)
			note(member.key_at, "torrent." + member.key, "it is not the absolute path of a file",
				"an absolute path");
		return is_path ? member.value.text : std::string();
	}

	torrent_entry::mode torrent_mode(toml_member const &member)
	{
		auto const is_text = member.value.what == toml_node::kind::string;
		if (is_text && member.value.text == "seed")
			return torrent_entry::mode::seed;
		if (!is_text || member.value.text != "download")
			note(member.key_at, "torrent.mode", "it is neither of the two", "one of: download, seed");
		return torrent_entry::mode::download;
	}

	std::vector<std::string> torrent_peers(toml_member const &member)
	{
		constexpr std::string_view allowed = "a list of HOST:PORT";
		std::vector<std::string> peers;
		if (member.value.what != toml_node::kind::array) {
			note(member.key_at, "torrent.peers", "it is not a list", std::string(allowed));
			return peers;
		}
		for (auto const &item : member.value.items) {
			if (item.what != toml_node::kind::string) {
				note(item.begin, "torrent.peers", "it is not a string", std::string(allowed));
				continue;
			}
			if (auto const fine = check_peer(item.text); !fine) {
				note(item.begin, "torrent.peers", "'" + shown(item.text) + "': " + fine.failure().message,
					std::string(allowed));
				continue;
			}
			peers.push_back(item.text);
		}
		return peers;
	}

	void finish()
	{
		if (m_unlisted > 0)
			m_report.faults.push_back({m_file, 0, 0, {}, std::to_string(m_unlisted) + " more faults", {}});
	}

	std::string m_file;
	foreign_key_check const &m_foreign;
	load_report &m_report;
	std::set<std::string_view> m_bad_keys;
	std::size_t m_unlisted = 0;
};

} // namespace

void read_config(
	toml_node const &root, std::string const &file, foreign_key_check const &foreign, load_report &report)
{
	reader(file, foreign, report).read(root);
}

} // namespace ezio
