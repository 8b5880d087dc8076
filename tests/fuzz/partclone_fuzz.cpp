// partclone's torrent.info and domain logs: what is accepted is in order and within the device.

#include "ctl/create/partclone_files.hpp"
#include "tests/fuzz/must.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace
{

using namespace ezio;

std::uint64_t check_ranges(std::vector<byte_range> const &ranges, std::uint64_t end_max)
{
	std::uint64_t end = 0;
	std::uint64_t sum = 0;
	for (auto const &range : ranges) {
		must(range.length_bytes > 0, "no range is empty");
		must(range.offset_bytes >= end, "ranges ascend and do not overlap");
		must(range.offset_bytes <= end_max && range.length_bytes <= end_max - range.offset_bytes,
			"ranges end within the device");
		end = range.offset_bytes + range.length_bytes;
		sum += range.length_bytes;
	}
	return sum;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const *data, std::size_t size)
{
	std::string_view const text(reinterpret_cast<char const *>(data), size);
	if (auto const info = parse_partclone_info(text)) {
		must(is_partclone_info(text), "what can be parsed is recognized");
		auto const payload = check_ranges(info->extents, info->device_bytes);
		must(payload > 0 && info->pieces.size() == (payload - 1) / partclone_piece_bytes + 1,
			"there is a hash for each piece");
	}
	if (auto const log = parse_domain_log(text))
		check_ranges(log->used, log->filesystem_bytes);
	return 0;
}
