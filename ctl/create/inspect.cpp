#include "ctl/create/inspect.hpp"

#include "actors/bt/torrent_file.hpp"
#include "ctl/create/local_files.hpp"

#include <utility>

namespace ezio
{

result<inspect_report> inspect_torrent_file(std::string const &path)
{
	auto const bytes = read_small_file(path, torrent_bytes_max);
	if (!bytes)
		return bytes.failure();
	auto examination = examine_torrent(*bytes);
	auto &torrent = examination.description;
	inspect_report report;
	report.file = path;
	report.torrent_bytes = bytes->size();
	report.is_usable = examination.faults.empty();
	report.faults = std::move(examination.faults);
	report.name = std::move(torrent.name);
	report.info_hash = std::move(torrent.info_hash);
	report.info_hash_v2 = std::move(torrent.info_hash_v2);
	report.has_v1 = torrent.has_v1;
	report.has_v2 = torrent.has_v2;
	report.piece_bytes = torrent.pieces.piece_bytes;
	report.pieces = report.piece_bytes == 0 ? 0 : static_cast<std::uint32_t>(torrent.pieces.piece_count());
	report.files = torrent.files;
	report.covered_bytes = torrent.extents.device_bytes();
	report.padding_bytes = torrent.extents.payload_bytes() - torrent.extents.device_bytes();
	report.highest_end_bytes = torrent.extents.highest_end_bytes();
	auto const ranges = torrent.extents.device_ranges();
	report.extents.assign(ranges.begin(), ranges.end());
	report.trackers = std::move(torrent.trackers);
	report.comment = std::move(torrent.comment);
	report.creator = std::move(torrent.creator);
	report.created_unix = torrent.created_unix;
	return report;
}

} // namespace ezio
