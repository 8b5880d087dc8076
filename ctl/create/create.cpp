#include "ctl/create/create.hpp"

#include "actors/bt/torrent_file.hpp"
#include "actors/core/block_device.hpp"
#include "actors/core/posix_block_device.hpp"
#include "ctl/create/byte_ranges.hpp"
#include "ctl/create/local_files.hpp"
#include "ctl/create/partclone_files.hpp"
#include "ctl/create/piece_hasher.hpp"
#include "ctl/create/piece_size.hpp"
#include "ctl/create/source_check.hpp"
#include "ctl/create/used_blocks.hpp"

#include <charconv>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace ezio
{
namespace
{

/// Extents lie on pages, so that direct I/O and targets with sectors of 4 KiB can take them.
constexpr std::uint64_t extent_align_bytes = 4096;
/// Some 5 MiB of metainfo, of the 16 MiB that are accepted.
constexpr std::size_t extents_max = 65536;
/// Each of them is a piece of its own, at least.
constexpr std::size_t extents_hybrid_max = 16384;
constexpr std::size_t info_bytes_max = std::size_t{256} << 20;
constexpr std::size_t sniffed_bytes = 64;

error bad_option(std::string message)
{
	return make_error(errc::invalid_argument, std::move(message));
}

result<std::uint64_t> creation_time(create_options const &options)
{
	if (options.created_unix)
		return *options.created_unix;
	auto const *epoch = std::getenv("SOURCE_DATE_EPOCH");
	if (epoch == nullptr || *epoch == '\0')
		return static_cast<std::uint64_t>(std::time(nullptr));
	std::uint64_t value = 0;
	auto const *end = epoch + std::strlen(epoch);
	auto const parsed = std::from_chars(epoch, end, value);
	if (parsed.ec != std::errc{} || parsed.ptr != end)
		return bad_option("SOURCE_DATE_EPOCH is not a number of seconds");
	return value;
}

std::string default_name(std::string const &source)
{
	std::error_code failed;
	auto path = std::filesystem::absolute(source, failed).lexically_normal();
	if (failed)
		path = source;
	// The file of partclone has one name for all; its directory is named after the partition.
	if (path.filename() == "torrent.info" && path.parent_path().has_filename())
		path = path.parent_path();
	return path.filename().string();
}

result<torrent_plan> plan_of(create_options const &options, std::string const &source)
{
	auto const created = creation_time(options);
	if (!created)
		return created.failure();
	torrent_plan plan;
	plan.name = options.name.empty() ? default_name(source) : options.name;
	plan.is_hybrid = options.is_hybrid;
	plan.trackers = options.trackers;
	plan.comment = options.comment;
	plan.creator = options.creator;
	plan.created_unix = *created;
	return plan;
}

/// What both kinds of source come to.
struct made_torrent {
	torrent_plan plan;
	std::vector<piece_hashes> hashes;
	std::string filesystem;
	std::uint64_t device_bytes = 0;
};

result<made_torrent> from_partclone_info(create_options const &options, torrent_plan plan)
{
	if (options.is_hybrid)
		return make_error(errc::unsupported,
			options.source + " has SHA-1 hashes only: a hybrid torrent needs the device itself");
	if (options.piece_bytes != 0 && options.piece_bytes != partclone_piece_bytes)
		return bad_option("the pieces of " + options.source + " have 16 MiB; their size cannot be chosen");
	auto const text = read_small_file(options.source, info_bytes_max);
	if (!text)
		return text.failure();
	auto const info = parse_partclone_info(*text);
	if (!info)
		return bad_option(options.source + " " + info.failure().message);
	made_torrent out;
	out.plan = std::move(plan);
	out.plan.extents = info->extents;
	out.plan.piece_bytes = partclone_piece_bytes;
	for (auto const &sha1 : info->pieces)
		out.hashes.push_back({sha1, {}});
	out.filesystem = "torrent.info";
	out.device_bytes = info->device_bytes;
	return out;
}

result<bool> check_use(create_options const &options, std::string const &source)
{
	auto const use = find_source_use(source);
	if (!use)
		return use.failure();
	if (!options.allow_mounted && (!use->writable_mount.empty() || use->is_swap)) {
		auto e = make_error(errc::target_refused,
			use->is_swap ? "it is in use as swap"
						 : "it is mounted read-write at " + use->writable_mount +
					"; unmount it, or remount it read-only, so that it does not change while it is read");
		e.device = source;
		e.check = "mounted";
		return e;
	}
	return use->is_mounted;
}

result<made_torrent> from_device(create_options const &options, torrent_plan plan, std::string const &source,
	create_progress const &progress, std::atomic<bool> const &interrupted)
{
	auto const is_mounted = check_use(options, source);
	if (!is_mounted)
		return is_mounted.failure();
	auto const mark = write_mark(source);
	if (!mark)
		return mark.failure();
	auto const device = posix_block_device::open(source, source, device_access::read_only);
	if (!device)
		return device.failure();
	made_torrent out;
	out.device_bytes = (*device)->geometry().size_bytes;
	if (out.device_bytes == 0)
		return bad_option(source + " is empty");
	auto used = find_used_blocks(source, options.filesystem, out.device_bytes, *is_mounted, interrupted);
	if (!used)
		return used.failure();
	out.filesystem = used->filesystem;
	out.plan = std::move(plan);
	out.plan.extents = consolidate(used->ranges, extent_align_bytes, out.device_bytes,
		options.is_hybrid ? extents_hybrid_max : extents_max);
	out.plan.piece_bytes =
		options.piece_bytes != 0 ? options.piece_bytes : choose_piece_bytes(total_bytes(out.plan.extents));
	auto const layout = lay_out(out.plan);
	if (!layout)
		return layout.failure();
	auto const threads = options.threads != 0 ? options.threads : std::thread::hardware_concurrency();
	auto hashes = hash_pieces(source, *layout, threads, progress, interrupted);
	if (!hashes)
		return hashes.failure();
	out.hashes = std::move(*hashes);
	auto const mark_after = write_mark(source);
	if (!mark_after)
		return mark_after.failure();
	// With allow_mounted the operator knows better, for instance of a snapshot's writable parent.
	if (!options.allow_mounted && *mark != *mark_after)
		return make_error(
			errc::integrity, source + " was written to while it was read: the torrent would not match it");
	return out;
}

result<create_report> create(
	create_options const &options, create_progress const &progress, std::atomic<bool> const &interrupted)
{
	auto const begin = std::chrono::steady_clock::now();
	if (options.piece_bytes != 0 && !is_piece_size(options.piece_bytes))
		return bad_option("a piece size of " + std::to_string(options.piece_bytes) +
			" bytes is not a power of two from 64 KiB to 16 MiB");
	if (auto const output = check_output(options.output); !output)
		return output.failure();
	std::error_code failed;
	auto const source = std::filesystem::canonical(options.source, failed).string();
	if (failed)
		return make_path_error("open", options.source, failed.value());
	if (std::filesystem::equivalent(source, options.output, failed))
		return bad_option("the output is the source itself");
	auto plan = plan_of(options, options.source);
	if (!plan)
		return plan.failure();

	bool is_info = false;
	if (options.filesystem != "raw" && std::filesystem::is_regular_file(source, failed)) {
		auto const sniffed = read_beginning(source, sniffed_bytes);
		if (!sniffed)
			return sniffed.failure();
		is_info = is_partclone_info(*sniffed);
	}
	auto const made = is_info ? from_partclone_info(options, std::move(*plan))
							  : from_device(options, std::move(*plan), source, progress, interrupted);
	if (!made)
		return made.failure();
	auto const bytes = build_torrent(made->plan, made->hashes);
	if (!bytes)
		return bytes.failure();
	auto const torrent = parse_torrent(*bytes);
	if (!torrent)
		return make_error(errc::internal, "the new torrent is not valid: " + torrent.failure().message);
	if (interrupted)
		return make_error(errc::interrupted, "interrupted before the torrent was written");
	if (auto const written = write_atomically(options.output, *bytes); !written)
		return written.failure();

	create_report report;
	report.info_hash = torrent->info_hash;
	report.info_hash_v2 = torrent->info_hash_v2;
	report.name = torrent->name;
	report.source = options.source;
	report.file = options.output;
	report.filesystem = made->filesystem;
	report.torrent_bytes = bytes->size();
	report.pieces = static_cast<std::uint32_t>(torrent->pieces.piece_count());
	report.piece_bytes = torrent->pieces.piece_bytes;
	report.extents = made->plan.extents.size();
	report.covered_bytes = torrent->extents.device_bytes();
	report.device_bytes = made->device_bytes;
	report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
	return report;
}

} // namespace

result<create_report> create_torrent(
	create_options const &options, create_progress const &progress, std::atomic<bool> const &interrupted)
{
	try {
		return create(options, progress, interrupted);
	} catch (std::bad_alloc const &) {
		return make_error(errc::no_memory, "not enough memory to make the torrent; use smaller pieces");
	} catch (std::exception const &e) {
		return make_error(errc::internal, e.what());
	}
}

} // namespace ezio
