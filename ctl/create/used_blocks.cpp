#include "ctl/create/used_blocks.hpp"

#include "ctl/create/child_process.hpp"
#include "ctl/create/local_files.hpp"
#include "ctl/create/partclone_files.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::size_t domain_log_bytes_max = std::size_t{1} << 30;
/// A filesystem's last cluster may reach a little beyond the device.
constexpr std::uint64_t overhang_bytes_max = 64 * 1024;

/// partclone prints progress, a banner and its own end over what matters.
std::string last_words(std::string const &output)
{
	constexpr std::array<std::string_view, 8> noise{"Partclone ", "error exit", "Error exit", "Starting to ",
		"Total Time", "Syncing", "Elapsed", "Cloned "};
	std::string found;
	std::size_t begin = 0;
	while (begin < output.size()) {
		auto const end = std::min(output.find_first_of("\r\n", begin), output.size());
		auto line = std::string_view(output).substr(begin, end - begin);
		begin = end + 1;
		auto const first = line.find_first_not_of(" \t");
		if (first == std::string_view::npos)
			continue;
		line.remove_prefix(first);
		line = line.substr(0, line.find_last_not_of(" \t") + 1);
		if (std::any_of(noise.begin(), noise.end(), [line](auto word) { return line.starts_with(word); }))
			continue;
		found = line;
	}
	for (auto &c : found)
		c = c >= ' ' && c <= '~' ? c : '?';
	return found;
}

std::string trimmed(std::string text)
{
	text.erase(text.find_last_not_of(" \r\n") + 1);
	return text;
}

result<std::string> blkid_value(std::string const &blkid, std::string const &source, char const *tag,
	std::atomic<bool> const &interrupted)
{
	auto const outcome = run_child({blkid, "-p", "-o", "value", "-s", tag, source}, interrupted);
	if (!outcome)
		return outcome.failure();
	// 2: nothing was recognised; 8: several things were.
	if (outcome->exit_status != 0 && outcome->exit_status != 2)
		return make_error(errc::unsupported,
			outcome->exit_status == 8
				? source + " carries signatures of several filesystems; name one, or take it raw"
				: "blkid cannot read " + source + ": " + last_words(outcome->output));
	return outcome->exit_status == 0 ? trimmed(outcome->output) : std::string();
}

result<std::string> detect(std::string const &source, std::atomic<bool> const &interrupted)
{
	auto const blkid = find_program("blkid");
	if (blkid.empty())
		return make_error(errc::unsupported, "blkid is not installed: name the filesystem");
	auto type = blkid_value(blkid, source, "TYPE", interrupted);
	if (!type || !type->empty())
		return type;
	auto const table = blkid_value(blkid, source, "PTTYPE", interrupted);
	if (!table)
		return table.failure();
	if (!table->empty())
		return make_error(errc::unsupported,
			source + " holds a partition table (" + *table +
				"), no filesystem; take it raw, or its partitions one by one");
	return make_error(errc::unsupported, "no known filesystem on " + source + "; name it, or take it raw");
}

result<domain_log> run_partclone(std::string const &program, std::string const &source, bool is_mounted,
	std::atomic<bool> const &interrupted)
{
	auto directory = temporary_directory::make();
	if (!directory)
		return directory.failure();
	auto const domain = directory->path() + "/domain";
	std::vector<std::string> arguments{
		program, "-D", "-q", "-s", source, "-o", domain, "-L", directory->path() + "/log"};
	if (is_mounted)
		arguments.emplace_back("-F");
	auto const outcome = run_child(arguments, interrupted);
	if (!outcome)
		return outcome.failure();
	if (outcome->exit_status != 0) {
		auto words = last_words(outcome->output);
		if (words.empty())
			words = "exit status " + std::to_string(outcome->exit_status);
		return make_error(errc::invalid_argument, program + " refuses " + source + ": " + words);
	}
	auto const text = read_small_file(domain, domain_log_bytes_max);
	if (!text)
		return text.failure();
	auto log = parse_domain_log(*text);
	if (!log)
		return make_error(errc::internal, "the domain log of " + program + ": " + log.failure().message);
	return log;
}

} // namespace

result<used_blocks> find_used_blocks(std::string const &source, std::string const &filesystem,
	std::uint64_t device_bytes, bool is_mounted, std::atomic<bool> const &interrupted)
{
	if (filesystem == "raw")
		return used_blocks{"raw", {{0, device_bytes}}};
	used_blocks out;
	out.filesystem = filesystem;
	if (filesystem == "auto") {
		auto detected = detect(source, interrupted);
		if (!detected)
			return detected.failure();
		out.filesystem = *detected;
	}
	bool const is_word = !out.filesystem.empty() &&
		out.filesystem.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+_") == std::string::npos;
	auto const program = is_word ? find_program("partclone." + out.filesystem) : std::string();
	if (program.empty())
		return make_error(errc::unsupported,
			"there is no program partclone." + out.filesystem + " for the filesystem of " + source +
				"; install partclone, or take it raw");
	auto log = run_partclone(program, source, is_mounted, interrupted);
	if (!log)
		return log.failure();
	out.ranges = std::move(log->used);
	if (out.ranges.empty())
		return make_error(errc::unsupported, program + " found no used block on " + source);
	if (out.ranges.back().end_bytes() > device_bytes + overhang_bytes_max)
		return make_error(errc::invalid_argument,
			"the filesystem on " + source + " reaches to byte " +
				std::to_string(out.ranges.back().end_bytes()) + ", beyond the device's " +
				std::to_string(device_bytes));
	// The backup of NTFS's boot sector lies behind the last cluster, where partclone does not look.
	auto const tail = device_bytes - std::min(log->filesystem_bytes, device_bytes);
	if (out.filesystem == "ntfs" && tail > 0 && tail <= overhang_bytes_max)
		out.ranges.push_back({log->filesystem_bytes, tail});
	return out;
}

} // namespace ezio
