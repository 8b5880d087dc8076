#include "ctl/run.hpp"

#include "ctl/create/create.hpp"
#include "ctl/create/inspect.hpp"
#include "ctl/text_format.hpp"

#include <charconv>
#include <ostream>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using wire::exit_status;

namespace
{

/// "1048576", "256K", "4M"; the range is for create_torrent to judge.
result<std::uint32_t> parse_piece_size(std::string const &text)
{
	std::uint64_t number = 0;
	auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
	std::string_view const unit(end, text.data() + text.size());
	std::uint64_t const factor = unit.empty() ? 1
		: unit == "K" || unit == "KiB"        ? 1 << 10
		: unit == "M" || unit == "MiB"        ? 1 << 20
											  : 0;
	if (failure != std::errc() || factor == 0 || number > UINT32_MAX / factor)
		return make_error(errc::invalid_argument,
			"--piece-size \"" + text + "\": expected a power of two from 64K to 16M, such as 1M");
	return static_cast<std::uint32_t>(number * factor);
}

result<create_options> read_options(invocation const &line)
{
	create_options options;
	options.source = line.operands[0];
	auto const output = line.value("--output");
	if (!output || output->empty())
		return make_error(errc::invalid_argument, "create needs -o FILE; see ezioctl create --help");
	options.output = *output;
	options.filesystem = line.value("--fs").value_or("auto");
	if (auto const text = line.value("--piece-size")) {
		auto const bytes = parse_piece_size(*text);
		if (!bytes)
			return bytes.failure();
		options.piece_bytes = *bytes;
	}
	options.is_hybrid = line.has("--hybrid");
	options.trackers = line.values("--tracker");
	options.comment = line.value("--comment").value_or("");
	options.name = line.value("--name").value_or("");
	options.creator = "ezioctl " EZIO_VERSION;
	options.allow_mounted = line.has("--allow-mounted");
	auto const threads = line.integer("--threads", 1, 1024);
	if (!threads)
		return threads.failure();
	options.threads = static_cast<unsigned>(threads->value_or(0));
	return options;
}

/// Bar, bytes and speed on a terminal.
class progress_line
{
public:
	explicit progress_line(console const &io) : m_io(io), m_start(clock::now()) {}
	~progress_line()
	{
		if (m_is_shown)
			*m_io.err << "\r\x1b[K" << std::flush;
	}
	progress_line(progress_line const &) = delete;
	progress_line &operator=(progress_line const &) = delete;

	void show(std::uint64_t done_bytes, std::uint64_t total_bytes)
	{
		if (!m_io.is_err_terminal || total_bytes == 0)
			return;
		auto const fraction = static_cast<double>(done_bytes) / static_cast<double>(total_bytes);
		std::chrono::duration<double> const elapsed = clock::now() - m_start;
		auto const rate = elapsed.count() > 0 ? static_cast<double>(done_bytes) / elapsed.count() : 0;
		*m_io.err << "\r\x1b[Khashing " << format_percent(fraction) << "  " << format_bytes(done_bytes)
				  << " of " << format_bytes(total_bytes) << "  "
				  << format_rate(static_cast<std::uint64_t>(rate)) << std::flush;
		m_is_shown = true;
	}

private:
	console const &m_io;
	clock::time_point m_start;
	bool m_is_shown = false;
};

json to_json(create_report const &r)
{
	return {{"info_hash", r.info_hash}, {"info_hash_v2", r.info_hash_v2}, {"name", r.name},
		{"source", r.source}, {"file", r.file}, {"filesystem", r.filesystem},
		{"torrent_bytes", r.torrent_bytes}, {"pieces", r.pieces}, {"piece_bytes", r.piece_bytes},
		{"extents", r.extents}, {"covered_bytes", r.covered_bytes}, {"device_bytes", r.device_bytes},
		{"seconds", r.seconds}};
}

json to_json(inspect_report const &r)
{
	auto extents = json::array();
	for (auto const &extent : r.extents)
		extents.push_back({{"offset_bytes", extent.offset_bytes}, {"length_bytes", extent.length_bytes}});
	return {{"file", r.file}, {"torrent_bytes", r.torrent_bytes}, {"usable", r.is_usable},
		{"faults", r.faults}, {"name", r.name}, {"info_hash", r.info_hash}, {"info_hash_v2", r.info_hash_v2},
		{"v1", r.has_v1}, {"v2", r.has_v2}, {"pieces", r.pieces}, {"piece_bytes", r.piece_bytes},
		{"files", r.files}, {"covered_bytes", r.covered_bytes}, {"padding_bytes", r.padding_bytes},
		{"highest_end_bytes", r.highest_end_bytes}, {"extents", std::move(extents)}, {"trackers", r.trackers},
		{"comment", r.comment}, {"creator", r.creator}, {"created_unix", r.created_unix}};
}

void print_report(std::ostream &out, inspect_report const &r)
{
	constexpr std::size_t extents_shown_max = 20;
	auto const with_bytes = [](std::uint64_t bytes) {
		return format_bytes(bytes) + " (" + std::to_string(bytes) + ")";
	};
	out << "file        " << printable(r.file) << ", " << format_bytes(r.torrent_bytes) << "\n"
		<< "name        " << printable(r.name) << "\n"
		<< "info-hash   " << r.info_hash << "\n";
	if (!r.info_hash_v2.empty())
		out << "v2          " << r.info_hash_v2 << "\n";
	out << "pieces      " << r.pieces << " of " << format_bytes(r.piece_bytes) << "\n"
		<< "covers      " << with_bytes(r.covered_bytes) << " in " << r.extents.size() << " extents\n"
		<< "least size  " << with_bytes(r.highest_end_bytes) << " of a target\n";
	for (auto const &tracker : r.trackers)
		out << "tracker     " << printable(tracker) << "\n";
	if (!r.comment.empty())
		out << "comment     " << printable(r.comment) << "\n";
	if (r.created_unix != 0)
		out << "created     " << format_time(r.created_unix * 1000) << " by " << printable(r.creator) << "\n";
	for (std::size_t i = 0; i < r.extents.size() && i < extents_shown_max; ++i)
		out << "extent      offset " << r.extents[i].offset_bytes << " length " << r.extents[i].length_bytes
			<< "\n";
	if (r.extents.size() > extents_shown_max)
		out << "            and " << r.extents.size() - extents_shown_max << " more; see --json\n";
	for (auto const &fault : r.faults)
		out << "FAULT       " << printable(fault) << "\n";
	out << (r.is_usable ? "usable\n" : "not usable\n");
}

} // namespace

handler_result run_create(command_context const &context)
{
	auto const options = read_options(context.line);
	if (!options)
		return options.failure();
	auto const report = [&] {
		progress_line line(context.io);
		return create_torrent(
			*options, [&line](std::uint64_t done, std::uint64_t total) { line.show(done, total); },
			*context.io.interrupted);
	}();
	if (!report)
		return report.failure();
	if (context.settings.is_json) {
		print_document(context, to_json(*report));
		return exit_status::done;
	}
	*context.io.out << printable(report->file) << ": " << report->info_hash << "\n"
					<< format_bytes(report->covered_bytes) << " of " << format_bytes(report->device_bytes)
					<< " (" << printable(report->filesystem) << ") in " << report->extents << " extents, "
					<< report->pieces << " pieces of " << format_bytes(report->piece_bytes) << "\n";
	return exit_status::done;
}

handler_result run_inspect(command_context const &context)
{
	auto const report = inspect_torrent_file(context.line.operands[0]);
	if (!report)
		return report.failure();
	if (context.settings.is_json)
		print_document(context, to_json(*report));
	else
		print_report(*context.io.out, *report);
	return report->is_usable ? exit_status::done : exit_status::refused;
}

} // namespace ezio::ctl
