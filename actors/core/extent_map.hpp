#pragma once

#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// One "file" of a torrent as it stands in the metainfo.
struct torrent_file_entry {
	std::string name;               ///< last path element: the extent's device offset in hexadecimal
	std::uint64_t length_bytes = 0; ///< may be 0: covers nothing
	bool is_pad = false;            ///< BEP 47 padding: zeros that exist on no device
};

/// A stretch of the payload and where it lies on the device.
struct extent_segment {
	std::uint64_t payload_offset_bytes = 0;
	std::uint64_t device_offset_bytes = 0; ///< meaningless for padding
	std::uint64_t length_bytes = 0;
	bool is_pad = false;
	friend bool operator==(extent_segment const &, extent_segment const &) = default;
};

/// Parses an extent name: 1 to 32 hexadecimal digits, optionally after "0x", value below 2^63. Anything else
/// is errc::invalid_torrent.
result<std::uint64_t> parse_extent_name(std::string_view name);

/// Where each byte of a torrent's payload lies on the device. Built once from the torrent's files; immutable
/// and therefore shared between threads without a lock.
class extent_map
{
public:
	/// Builds the map; adjacent extents that are contiguous on the device become one segment. Fails with
	/// errc::invalid_torrent, naming the file, if a name is no offset, an extent ends beyond 2^63, or two
	/// extents overlap on the device.
	static result<extent_map> build(std::span<torrent_file_entry const> files);

	extent_map() = default;

	std::uint64_t payload_bytes() const { return m_payload_bytes; }
	/// Bytes of the payload that are on the device: without padding.
	std::uint64_t device_bytes() const { return m_device_bytes; }
	/// First byte after the highest extent: the least size a target must have.
	std::uint64_t highest_end_bytes() const { return m_highest_end_bytes; }
	/// Merged segments in payload order.
	std::span<extent_segment const> segments() const { return m_segments; }
	/// Merged device ranges in device order.
	std::span<byte_range const> device_ranges() const { return m_device_ranges; }
	/// Does any extent share a byte with any extent of @p other, were they on one device?
	bool overlaps(extent_map const &other) const;

	/// Calls @p visit(extent_segment) for the parts of the payload range, in payload order, clipped to it.
	/// The range must lie within the payload. O(log segments) plus the segments visited.
	template <class Visitor>
	void for_each_segment(byte_range payload, Visitor &&visit) const
	{
		for (auto i = find(payload.offset_bytes); i < m_segments.size(); ++i) {
			auto part = m_segments[i];
			if (part.payload_offset_bytes >= payload.end_bytes())
				break;
			auto const begin = part.payload_offset_bytes < payload.offset_bytes ? payload.offset_bytes
																				: part.payload_offset_bytes;
			auto const segment_end = part.payload_offset_bytes + part.length_bytes;
			auto const end = segment_end < payload.end_bytes() ? segment_end : payload.end_bytes();
			part.device_offset_bytes += begin - part.payload_offset_bytes;
			part.payload_offset_bytes = begin;
			part.length_bytes = end - begin;
			visit(static_cast<extent_segment const &>(part));
		}
	}

private:
	/// Index of the segment that holds the payload byte.
	std::size_t find(std::uint64_t payload_offset_bytes) const;

	std::vector<extent_segment> m_segments;
	std::vector<byte_range> m_device_ranges;
	std::uint64_t m_payload_bytes = 0;
	std::uint64_t m_device_bytes = 0;
	std::uint64_t m_highest_end_bytes = 0;
};

} // namespace ezio
