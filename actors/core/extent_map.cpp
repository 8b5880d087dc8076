#include "actors/core/extent_map.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::uint64_t offset_limit = std::uint64_t{1} << 63;
constexpr std::size_t name_digits_max = 32;
constexpr std::size_t shown_name_max = 64;

std::optional<unsigned> hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return static_cast<unsigned>(c - '0');
	if (c >= 'a' && c <= 'f')
		return static_cast<unsigned>(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return static_cast<unsigned>(c - 'A') + 10;
	return std::nullopt;
}

/// Names come from strangers and end on terminals: printable, short, in quotes.
std::string quoted(std::string_view name)
{
	std::string text = "'";
	for (auto const c : name.substr(0, shown_name_max))
		text += c >= ' ' && c <= '~' ? c : '?';
	if (name.size() > shown_name_max)
		text += "...";
	return text + "'";
}

error invalid(std::string message)
{
	return make_error(errc::invalid_torrent, std::move(message));
}

struct placed_file {
	byte_range device;
	std::size_t file = 0;
};

} // namespace

result<std::uint64_t> parse_extent_name(std::string_view name)
{
	auto digits = name;
	if (digits.starts_with("0x") || digits.starts_with("0X"))
		digits.remove_prefix(2);
	if (digits.empty() || digits.size() > name_digits_max)
		return invalid("file name " + quoted(name) + " is not a hexadecimal device offset");
	std::uint64_t value = 0;
	for (auto const c : digits) {
		auto const digit = hex_digit(c);
		if (!digit)
			return invalid("file name " + quoted(name) + " is not a hexadecimal device offset");
		if (value >> 59 != 0)
			return invalid("file name " + quoted(name) + " is a device offset of 2^63 or more");
		value = value << 4 | *digit;
	}
	return value;
}

result<extent_map> extent_map::build(std::span<torrent_file_entry const> files)
{
	extent_map map;
	std::vector<placed_file> placed;
	placed.reserve(files.size());
	for (std::size_t i = 0; i < files.size(); ++i) {
		auto const &file = files[i];
		std::uint64_t device_offset = 0;
		if (!file.is_pad) {
			auto parsed = parse_extent_name(file.name);
			if (!parsed)
				return parsed.failure();
			device_offset = *parsed;
			if (file.length_bytes > offset_limit - device_offset)
				return invalid("extent " + quoted(file.name) + " of " + std::to_string(file.length_bytes) +
					" bytes ends beyond 2^63");
		}
		if (file.length_bytes > offset_limit - map.m_payload_bytes)
			return invalid("the torrent's payload exceeds 2^63 bytes at file " + quoted(file.name));
		if (file.length_bytes == 0)
			continue;

		auto const payload_offset = map.m_payload_bytes;
		map.m_payload_bytes += file.length_bytes;
		if (!file.is_pad) {
			map.m_device_bytes += file.length_bytes;
			map.m_highest_end_bytes = std::max(map.m_highest_end_bytes, device_offset + file.length_bytes);
			placed.push_back({{device_offset, file.length_bytes}, i});
		}
		if (!map.m_segments.empty()) {
			auto &last = map.m_segments.back();
			bool const is_contiguous =
				file.is_pad || last.device_offset_bytes + last.length_bytes == device_offset;
			if (last.is_pad == file.is_pad && is_contiguous) {
				last.length_bytes += file.length_bytes;
				continue;
			}
		}
		map.m_segments.push_back({payload_offset, device_offset, file.length_bytes, file.is_pad});
	}

	std::sort(placed.begin(), placed.end(), [](placed_file const &a, placed_file const &b) {
		return a.device.offset_bytes < b.device.offset_bytes;
	});
	for (std::size_t i = 0; i < placed.size(); ++i) {
		auto const &here = placed[i];
		if (i > 0 && here.device.offset_bytes < placed[i - 1].device.end_bytes())
			return invalid("extent " + quoted(files[here.file].name) + " overlaps extent " +
				quoted(files[placed[i - 1].file].name) + " on the device");
		if (!map.m_device_ranges.empty() &&
			map.m_device_ranges.back().end_bytes() == here.device.offset_bytes)
			map.m_device_ranges.back().length_bytes += here.device.length_bytes;
		else
			map.m_device_ranges.push_back(here.device);
	}
	return map;
}

bool extent_map::overlaps(extent_map const &other) const
{
	auto mine = m_device_ranges.begin();
	auto theirs = other.m_device_ranges.begin();
	while (mine != m_device_ranges.end() && theirs != other.m_device_ranges.end()) {
		if (mine->end_bytes() <= theirs->offset_bytes)
			++mine;
		else if (theirs->end_bytes() <= mine->offset_bytes)
			++theirs;
		else
			return true;
	}
	return false;
}

std::size_t extent_map::find(std::uint64_t payload_offset_bytes) const
{
	auto const after = std::upper_bound(m_segments.begin(), m_segments.end(), payload_offset_bytes,
		[](std::uint64_t offset, extent_segment const &s) { return offset < s.payload_offset_bytes; });
	return after == m_segments.begin() ? 0 : static_cast<std::size_t>(after - m_segments.begin()) - 1;
}

} // namespace ezio
