#include "ctl/create/partclone_files.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::string_view block_size_key = "block_size: ";
constexpr std::string_view blocks_total_key = "blocks_total: ";
constexpr std::string_view offset_key = "offset: ";
constexpr std::string_view length_key = "length: ";
constexpr std::string_view sha1_key = "sha1: ";
constexpr std::uint64_t offset_max = std::numeric_limits<std::int64_t>::max();

/// Hands out lines and knows their numbers.
class line_reader
{
public:
	explicit line_reader(std::string_view text) : m_rest(text) {}

	std::optional<std::string_view> next()
	{
		if (m_rest.empty())
			return std::nullopt;
		++m_number;
		auto const end = m_rest.find('\n');
		m_is_cut = end == std::string_view::npos;
		auto const line = m_rest.substr(0, end);
		m_rest.remove_prefix(m_is_cut ? m_rest.size() : end + 1);
		return line;
	}
	/// The last line had no newline: the file was cut short.
	bool is_cut() const { return m_is_cut; }
	error fault(std::string const &what) const
	{
		return make_error(errc::invalid_argument, "line " + std::to_string(m_number) + ": " + what);
	}

private:
	std::string_view m_rest;
	std::size_t m_number = 0;
	bool m_is_cut = false;
};

std::optional<std::uint64_t> parse_number(std::string_view text, int base)
{
	std::uint64_t value = 0;
	auto const *end = text.data() + text.size();
	auto const parsed = std::from_chars(text.data(), end, value, base);
	if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end || value > offset_max)
		return std::nullopt;
	return value;
}

std::string_view next_word(std::string_view &line)
{
	auto const begin = line.find_first_not_of(" \t\r");
	if (begin == std::string_view::npos)
		return {};
	auto const end = std::min(line.find_first_of(" \t\r", begin), line.size());
	auto const word = line.substr(begin, end - begin);
	line.remove_prefix(end);
	return word;
}

std::optional<std::uint64_t> parse_position(std::string_view word)
{
	if (!word.starts_with("0x"))
		return std::nullopt;
	return parse_number(word.substr(2), 16);
}

std::optional<sha1_digest> parse_digest(std::string_view text)
{
	sha1_digest digest{};
	if (text.size() != 2 * digest.size())
		return std::nullopt;
	for (std::size_t i = 0; i < digest.size(); ++i) {
		auto const byte = parse_number(text.substr(2 * i, 2), 16);
		if (!byte)
			return std::nullopt;
		digest[i] = static_cast<std::byte>(*byte);
	}
	return digest;
}

/// Adds an extent to a list that must ascend, joining neighbours.
bool append(std::vector<byte_range> &extents, byte_range extent)
{
	auto const end = extents.empty() ? 0 : extents.back().end_bytes();
	if (extent.offset_bytes < end || extent.length_bytes == 0 ||
		extent.length_bytes > offset_max - extent.offset_bytes)
		return false;
	if (!extents.empty() && extent.offset_bytes == end)
		extents.back().length_bytes += extent.length_bytes;
	else
		extents.push_back(extent);
	return true;
}

} // namespace

result<domain_log> parse_domain_log(std::string_view text)
{
	domain_log out;
	line_reader lines(text);
	bool has_status_line = false;
	std::uint64_t position = 0;
	while (auto line = lines.next()) {
		if (line->starts_with('#'))
			continue;
		auto const first = parse_position(next_word(*line));
		if (!has_status_line) {
			// current_pos: partclone puts the end of the filesystem here.
			if (!first || next_word(*line).empty())
				return lines.fault("expected the size of the filesystem");
			out.filesystem_bytes = *first;
			has_status_line = true;
			continue;
		}
		auto const length = parse_position(next_word(*line));
		auto const status = next_word(*line);
		if (!first || !length || (status != "+" && status != "?") || !next_word(*line).empty())
			return lines.fault("expected a position, a size and + or ?");
		if (*first != position || *length > out.filesystem_bytes - position)
			return lines.fault("the range does not follow the one before it within the filesystem");
		position += *length;
		if (status == "+" && *length > 0 && !append(out.used, {*first, *length}))
			return lines.fault("the range is out of order");
	}
	if (!has_status_line || lines.is_cut() || position != out.filesystem_bytes)
		return lines.fault("the log ends early");
	return out;
}

bool is_partclone_info(std::string_view text)
{
	return text.starts_with(block_size_key);
}

result<partclone_info> parse_partclone_info(std::string_view text)
{
	partclone_info out;
	line_reader lines(text);
	auto const header = [&lines](std::string_view key) -> std::optional<std::uint64_t> {
		auto const line = lines.next();
		return line && line->starts_with(key) ? parse_number(line->substr(key.size()), 10) : std::nullopt;
	};
	auto const block_size = header(block_size_key);
	if (!block_size || *block_size == 0)
		return lines.fault("expected 'block_size: ' and a number of bytes");
	auto const blocks = header(blocks_total_key);
	if (!blocks || *blocks == 0 || *blocks > offset_max / *block_size)
		return lines.fault("expected 'blocks_total: ' and a number of blocks");
	out.device_bytes = *block_size * *blocks;

	std::uint64_t payload = 0;
	std::uint64_t offset = 0; // of the extent whose length comes next, if has_offset
	bool has_offset = false;
	while (auto const line = lines.next()) {
		if (lines.is_cut())
			return lines.fault("the file ends in the middle of a line");
		if (line->starts_with(sha1_key)) {
			auto const digest = parse_digest(line->substr(sha1_key.size()));
			if (!digest)
				return lines.fault("expected 'sha1: ' and 40 hexadecimal digits");
			out.pieces.push_back(*digest);
		} else if (line->starts_with(offset_key) && !has_offset) {
			auto const parsed = parse_number(line->substr(offset_key.size()), 16);
			if (!parsed)
				return lines.fault("the offset is not a hexadecimal number below 2^63");
			offset = *parsed;
			has_offset = true;
		} else if (line->starts_with(length_key) && has_offset) {
			auto const length = parse_number(line->substr(length_key.size()), 16);
			if (!length || *length == 0)
				return lines.fault("the length is not a hexadecimal number from 1 to 2^63-1");
			if (offset > out.device_bytes || *length > out.device_bytes - offset)
				return lines.fault(
					"the extent ends beyond the device of " + std::to_string(out.device_bytes) + " bytes");
			if (!append(out.extents, {offset, *length}))
				return lines.fault("the extent overlaps the one before it or lies below it");
			payload += *length;
			has_offset = false;
		} else {
			return lines.fault("expected an 'offset: ', then its 'length: ', or a 'sha1: '");
		}
	}
	if (has_offset)
		return lines.fault("the file ends after an offset without its length");
	if (out.extents.empty())
		return lines.fault("the file describes no extent");
	auto const expected = (payload - 1) / partclone_piece_bytes + 1;
	if (out.pieces.size() != expected)
		return lines.fault("the file ends with " + std::to_string(out.pieces.size()) +
			" SHA-1 hashes where its extents need " + std::to_string(expected));
	return out;
}

} // namespace ezio
