#include "ctl/render_report.hpp"

#include "ctl/json_fields.hpp"
#include "ctl/text_format.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;

namespace
{

constexpr std::size_t label_columns = 14;

/// In UTC: reports of many machines are compared.
std::string time_text(json const &value)
{
	if (!value.is_number_unsigned())
		return "-";
	auto const seconds = static_cast<std::time_t>(value.get<std::uint64_t>() / 1000);
	std::tm utc{};
	std::array<char, 32> buffer{};
	if (::gmtime_r(&seconds, &utc) == nullptr ||
		std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		return value.dump() + " ms";
	return buffer.data();
}

std::string error_text(json const &value)
{
	return value.is_object() ? value_text(value, "text") : "-";
}

class block
{
public:
	void line(std::string label, std::string const &value)
	{
		label.resize(std::max(label.size() + 1, label_columns), ' ');
		m_text += "  " + label + value + "\n";
	}
	void ranges(char const *label, json const &torrent, std::string const &name)
	{
		auto const &all = member(torrent, name.c_str());
		for (auto const &range : all)
			line(label,
				"offset " + value_text(range, "offset_bytes") + " length " +
					value_text(range, "length_bytes"));
		auto const more = value_text(torrent, (name + "_more").c_str());
		if (more != "-" && more != "0")
			line(label, "and " + more + " more");
	}
	std::string take() { return std::move(m_text); }

private:
	std::string m_text;
};

std::string torrent_block(json const &torrent)
{
	block out;
	auto const &device = member(torrent, "device");
	out.line("verdict", value_text(torrent, "verdict") + " (state " + value_text(torrent, "state") + ")");
	out.line("info-hash", value_text(torrent, "info_hash"));
	if (!value_text(torrent, "info_hash_v2").empty())
		out.line("v2", value_text(torrent, "info_hash_v2"));
	out.line("bytes", value_text(torrent, "done_bytes") + " of " + value_text(torrent, "size_bytes"));
	out.line("pieces",
		value_text(torrent, "pieces_done") + " of " + value_text(torrent, "pieces_total") + ", " +
			value_text(torrent, "piece_bytes") + " bytes each");
	out.line("received",
		value_text(torrent, "downloaded_bytes") + ", sent " + value_text(torrent, "uploaded_bytes"));
	out.line("device", value_text(device, "path") + ", " + value_text(device, "size_bytes") + " bytes");
	out.line("identity", value_text(device, "identity"));
	out.line("model", value_text(device, "model"));
	out.line("disk", value_text(device, "disk"));
	out.line("added", time_text(member(torrent, "added_unix_ms")));
	out.line("downloaded", time_text(member(torrent, "downloaded_unix_ms")));
	out.line("synced", time_text(member(torrent, "synced_unix_ms")));
	out.line("verified", time_text(member(torrent, "verified_unix_ms")));
	out.line("faults",
		value_text(torrent, "hash_failures") + " wrong hashes, " + value_text(torrent, "read_errors") +
			" failed reads, " + value_text(torrent, "retries") + " retries, " +
			value_text(torrent, "errors_total") + " errors");
	if (member(torrent, "bad_pieces").is_number())
		out.line("differ", value_text(torrent, "bad_pieces") + " pieces");
	out.ranges("differ", torrent, "bad_ranges");
	out.ranges("unreadable", torrent, "unreadable_ranges");
	for (auto const &seen : member(torrent, "errors"))
		out.line("error", time_text(member(seen, "unix_ms")) + " " + error_text(member(seen, "error")));
	return value_text(torrent, "name") + " on " + value_text(torrent, "target") + "\n" + out.take();
}

} // namespace

std::string render_report(json const &reply)
{
	auto const &daemon = member(reply, "daemon");
	auto lines = "report of " + time_text(member(reply, "unix_ms")) + ", host " + value_text(reply, "host") +
		", eziod " + value_text(daemon, "version") + ", libtorrent " + value_text(daemon, "libtorrent") +
		"\n";
	for (auto const &torrent : member(reply, "torrents"))
		lines += torrent_block(torrent);
	return lines;
}

} // namespace ezio::ctl
