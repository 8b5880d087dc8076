#include "config/document.hpp"

#include "config/save.hpp"
#include "config/torrent_keys.hpp"

#include <algorithm>

namespace ezio
{
namespace
{

std::string_view effect_name(setting_effect effect)
{
	return effect == setting_effect::live ? "live" : "restart";
}

/// Calls first(table) before the first row of each table.
template <class First, class Each>
void for_each_row(First first, Each each)
{
	std::string_view table;
	for (auto const &row : schema()) {
		if (row.table != table)
			first(row.table);
		table = row.table;
		each(row);
	}
}

/// @p text in lines of at most @p columns, each after @p indent.
std::string wrapped(std::string_view text, std::string const &indent, std::size_t columns)
{
	std::string out;
	auto const width = columns - indent.size();
	while (!text.empty()) {
		auto length = std::min(text.size(), width);
		if (length < text.size()) {
			auto const space = text.rfind(' ', length);
			length = space == std::string_view::npos ? std::min(text.find(' '), text.size()) : space;
		}
		out += indent + std::string(text.substr(0, length)) + "\n";
		text.remove_prefix(std::min(length + 1, text.size()));
	}
	return out;
}

std::string default_toml(schema_row const &row)
{
	return toml_text(default_value(row));
}

/// A cell of a Markdown table.
std::string cell(std::string_view text)
{
	std::string out;
	for (auto const c : text)
		out += c == '|' ? std::string("\\|") : std::string(1, c);
	return out;
}

} // namespace

std::string render_default_toml()
{
	constexpr std::size_t columns = 100;
	std::string out =
		"# Configuration of eziod. Every key is shown with its default; remove the # in front to change it.\n"
		"# 'eziod --check-config -c FILE' reports every fault of a file. Keys marked live can be changed in\n"
		"# the running daemon: 'ezioctl set KEY VALUE', or SIGHUP after editing; the others need a "
		"restart.\n";
	for_each_row([&out](std::string_view table) { out += "\n[" + std::string(table) + "]\n"; },
		[&out](schema_row const &row) {
			auto const facts =
				"Allowed: " + allowed_text(row) + ". Effect: " + std::string(effect_name(row.effect)) + ".";
			out += "\n" + wrapped(row.help, "# ", columns) + wrapped(facts, "# ", columns);
			out += "#" + std::string(row.key) + " = " + default_toml(row) + "\n";
		});
	out += "\n# Any other key of libtorrent's settings_pack, by its own name.\n"
		   "[libtorrent]\n"
		   "\n"
		   "# Torrents that are added when the daemon starts, for machines that boot unattended.\n"
		   "# mode: download (the default) or seed. peers: a list of \"HOST:PORT\".\n"
		   "#[[torrent]]\n"
		   "#file = \"/srv/sda1.torrent\"\n"
		   "#target = \"/dev/sda1\"\n"
		   "#mode = \"download\"\n"
		   "#peers = [\"192.0.2.1:6881\"]\n";
	for (auto const &row : torrent_keys()) {
		auto const is_in_example =
			out.find("\n#" + std::string(row.key) + " = ", out.rfind("#[[torrent]]")) != std::string::npos;
		if (!is_in_example)
			out += "#" + std::string(row.key) + " = " + default_toml(row) + "\n";
	}
	return out;
}

std::string render_markdown()
{
	std::string out = "| table | key | type | default | allowed | effect | meaning |\n"
					  "|---|---|---|---|---|---|---|\n";
	for (auto const &row : schema()) {
		out += "| " + std::string(row.table) + " | `" + std::string(row.key) + "` | " +
			std::string(to_string(row.type)) + " | `" + cell(default_toml(row)) + "` | " +
			cell(allowed_text(row)) + " | " + std::string(effect_name(row.effect)) + " | " + cell(row.help) +
			" |\n";
	}
	return out;
}

std::string render_torrent_markdown()
{
	std::string out = "| key | type | default | allowed | meaning |\n"
					  "|---|---|---|---|---|\n";
	for (auto const &row : torrent_keys()) {
		out += "| `" + std::string(row.key) + "` | " + std::string(to_string(row.type)) + " | `" +
			cell(default_toml(row)) + "` | " + cell(allowed_text(row)) + " | " + cell(row.help) + " |\n";
	}
	return out;
}

std::string render_help()
{
	constexpr std::size_t columns = 100;
	std::string out;
	for_each_row([&out](std::string_view table) { out += "[" + std::string(table) + "]\n"; },
		[&out](schema_row const &row) {
			out += "  " + std::string(row.key) + " = " + default_toml(row) +
				(row.unit.empty() ? "" : " " + std::string(row.unit)) + "  (" +
				std::string(effect_name(row.effect)) + ")\n";
			out += wrapped(row.help, "      ", columns);
			out += wrapped("Allowed: " + allowed_text(row) + ".", "      ", columns);
		});
	return out;
}

} // namespace ezio
