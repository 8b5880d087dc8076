// Metainfo: what is accepted has a geometry that can be, and extents that cover its payload once.

#include "actors/bt/torrent_file.hpp"
#include "tests/fuzz/must.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace
{

using namespace ezio;

void check_extents(torrent_description const &torrent)
{
	auto const &map = torrent.extents;
	must(torrent.pieces.total_bytes > 0 && map.payload_bytes() == torrent.pieces.total_bytes,
		"pieces and extents cover the same bytes");
	must(map.device_bytes() <= map.payload_bytes(), "padding is not on the device");
	std::uint64_t end = 0;
	std::uint64_t sum = 0;
	for (auto const &range : map.device_ranges()) {
		must(range.length_bytes > 0 && range.offset_bytes >= end, "device ranges ascend and do not overlap");
		end = range.offset_bytes + range.length_bytes;
		must(end > range.offset_bytes && end <= map.highest_end_bytes(),
			"no range ends beyond the highest end");
		sum += range.length_bytes;
	}
	must(end == map.highest_end_bytes() && sum == map.device_bytes(), "sums are those of the ranges");
	std::uint64_t seen = 0;
	map.for_each_segment({0, map.payload_bytes()}, [&](extent_segment const &part) {
		must(part.payload_offset_bytes >= seen, "segments ascend in the payload");
		seen = part.payload_offset_bytes + part.length_bytes;
	});
	must(seen <= map.payload_bytes(), "segments lie within the payload");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const *data, std::size_t size)
{
	std::string const bytes(reinterpret_cast<char const *>(data), size);
	auto const torrent = parse_torrent(bytes);
	auto const examined = examine_torrent(bytes);
	must(static_cast<bool>(torrent) == examined.faults.empty(), "both ways of reading agree");
	if (!torrent) {
		must(torrent.failure().code == errc::invalid_torrent, "a fault is one of the torrent");
		return 0;
	}
	must(torrent->info_hash == examined.description.info_hash, "both ways of reading see one torrent");
	auto const piece_bytes = torrent->pieces.piece_bytes;
	must(piece_bytes != 0 && (piece_bytes & (piece_bytes - 1)) == 0, "pieces are a power of two");
	must(torrent->has_v1 || torrent->has_v2, "there are hashes");
	check_extents(*torrent);
	return 0;
}
