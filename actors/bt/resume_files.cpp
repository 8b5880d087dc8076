#include "actors/bt/resume_files.hpp"

#include "actors/core/error.hpp"
#include "actors/core/file_read.hpp"
#include "actors/core/file_replace.hpp"
#include "actors/core/piece_digest.hpp"

#include <libtorrent/bdecode.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/entry.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::string_view format_line = "eziod resume 1\n";
constexpr std::string_view format_name = "eziod resume ";
constexpr std::size_t file_bytes_max = 64 * 1024 * 1024;
constexpr std::size_t info_hash_digits = 40;

std::string hexadecimal(std::span<std::byte const> bytes)
{
	constexpr std::string_view digits = "0123456789abcdef";
	std::string text;
	for (auto const byte : bytes) {
		text += digits[std::to_integer<unsigned>(byte) >> 4];
		text += digits[std::to_integer<unsigned>(byte) & 15];
	}
	return text;
}

std::string checksum_of(std::string_view text)
{
	return hexadecimal(sha256_of(std::as_bytes(std::span(text))));
}

/// One bit a piece, the first piece in the highest bit of the first byte, as BEP 3's bitfield.
std::string pack(std::vector<bool> const &pieces)
{
	std::string bits((pieces.size() + 7) / 8, '\0');
	for (std::size_t i = 0; i < pieces.size(); ++i) {
		if (pieces[i])
			bits[i / 8] = static_cast<char>(static_cast<unsigned char>(bits[i / 8]) | (0x80U >> (i % 8)));
	}
	return bits;
}

std::vector<bool> unpack(std::string_view bits, std::size_t count)
{
	std::vector<bool> pieces(count);
	for (std::size_t i = 0; i < count; ++i)
		pieces[i] = (static_cast<unsigned char>(bits[i / 8]) & (0x80U >> (i % 8))) != 0;
	return pieces;
}

template <class Texts>
lt::entry list_of(Texts const &texts)
{
	lt::entry::list_type list;
	for (auto const &text : texts)
		list.emplace_back(text);
	return list;
}

std::vector<std::string> texts_of(lt::bdecode_node const &list)
{
	std::vector<std::string> texts;
	for (int i = 0; i < list.list_size(); ++i)
		texts.emplace_back(list.list_string_value_at(i));
	return texts;
}

lt::entry to_entry(error const &failure)
{
	lt::entry::dictionary_type fields;
	fields["code"] = std::string(to_string(failure.code));
	fields["message"] = failure.message;
	fields["operation"] = failure.operation;
	fields["device"] = failure.device;
	if (failure.offset_bytes)
		fields["offset"] = static_cast<std::int64_t>(*failure.offset_bytes);
	if (failure.length_bytes)
		fields["length"] = static_cast<std::int64_t>(*failure.length_bytes);
	fields["errno"] = std::int64_t{failure.os_errno};
	fields["check"] = failure.check;
	return fields;
}

error to_error(lt::bdecode_node const &fields)
{
	auto const text = [&fields](char const *key) { return std::string(fields.dict_find_string_value(key)); };
	auto const number = [&fields](char const *key) -> std::optional<std::uint64_t> {
		auto const found = fields.dict_find_int(key);
		return found ? std::optional(static_cast<std::uint64_t>(found.int_value())) : std::nullopt;
	};
	auto e = make_error(errc_from_string(text("code")).value_or(errc::internal), text("message"));
	e.operation = text("operation");
	e.device = text("device");
	e.offset_bytes = number("offset");
	e.length_bytes = number("length");
	e.os_errno = static_cast<int>(fields.dict_find_int_value("errno"));
	e.check = text("check");
	return e;
}

error damaged(std::string const &what)
{
	return make_error(errc::integrity, "the resume data are damaged: " + what);
}

} // namespace

std::string encode_resume(kept_torrent const &torrent)
{
	auto const &request = *torrent.request;
	lt::entry::dictionary_type device;
	device["size"] = static_cast<std::int64_t>(torrent.device.size_bytes);
	device["is-block-device"] = std::int64_t{torrent.device.is_block_device};
	device["name"] = torrent.device.name;
	lt::entry::dictionary_type all;
	all["info-hash"] = torrent.info_hash;
	all["target"] = request.target;
	all["is-seed"] = std::int64_t{request.is_seed};
	all["is-sequential"] = std::int64_t{request.is_sequential};
	all["is-paused"] = std::int64_t{torrent.is_paused};
	all["is-doubtful"] = std::int64_t{torrent.is_doubtful};
	all["peers"] = list_of(request.peers);
	all["trackers"] = list_of(request.trackers);
	all["allowed-checks"] = list_of(request.allowed_checks);
	all["uploads-max"] = std::int64_t{request.uploads_max};
	all["connections-max"] = std::int64_t{request.connections_max};
	all["is-verify"] = std::int64_t{request.is_verify};
	all["upload-limit"] = static_cast<std::int64_t>(request.limits.up);
	all["download-limit"] = static_cast<std::int64_t>(request.limits.down);
	all["priority"] = std::string(to_string(request.priority));
	all["added"] = static_cast<std::int64_t>(torrent.added_unix_ms);
	all["name"] = torrent.name;
	for (auto const &[key, time] : {std::pair("downloaded", torrent.times.downloaded_unix_ms),
			 std::pair("synced", torrent.times.synced_unix_ms),
			 std::pair("verified", torrent.times.verified_unix_ms)}) {
		if (time)
			all[key] = static_cast<std::int64_t>(*time);
	}
	if (torrent.failure)
		all["failure"] = to_entry(*torrent.failure);
	all["device"] = device;
	all["piece-count"] = static_cast<std::int64_t>(torrent.pieces.size());
	all["pieces"] = pack(torrent.pieces);
	std::string body;
	lt::bencode(std::back_inserter(body), lt::entry(all));
	return std::string(format_line) + checksum_of(body) + "\n" + body;
}

result<kept_torrent> decode_resume(std::string_view text, std::string metainfo)
{
	if (!text.starts_with(format_line)) {
		if (text.starts_with(format_name))
			return make_error(errc::unsupported, "the resume data are of another version of eziod");
		return damaged("no such beginning");
	}
	text.remove_prefix(format_line.size());
	auto const end = text.find('\n');
	if (end == std::string_view::npos)
		return damaged("they end too soon");
	auto const body = text.substr(end + 1);
	if (text.substr(0, end) != checksum_of(body))
		return damaged("the checksum does not match");

	lt::error_code code;
	auto const all =
		lt::bdecode(lt::span<char const>(body.data(), static_cast<std::ptrdiff_t>(body.size())), code);
	if (code || all.type() != lt::bdecode_node::dict_t)
		return damaged(code ? code.message() : "no dictionary");
	auto request = std::make_shared<add_request>();
	request->torrent = std::move(metainfo);
	request->target = std::string(all.dict_find_string_value("target"));
	request->is_seed = all.dict_find_int_value("is-seed") != 0;
	request->is_sequential = all.dict_find_int_value("is-sequential") != 0;
	request->is_verify = all.dict_find_int_value("is-verify") != 0;
	request->peers = texts_of(all.dict_find_list("peers"));
	request->trackers = texts_of(all.dict_find_list("trackers"));
	auto const allowed = texts_of(all.dict_find_list("allowed-checks"));
	request->allowed_checks = {allowed.begin(), allowed.end()};
	request->uploads_max = static_cast<int>(all.dict_find_int_value("uploads-max", -1));
	request->connections_max = static_cast<int>(all.dict_find_int_value("connections-max", -1));
	request->limits.up = static_cast<std::uint64_t>(all.dict_find_int_value("upload-limit", 0));
	request->limits.down = static_cast<std::uint64_t>(all.dict_find_int_value("download-limit", 0));
	request->priority = torrent_priority_from_string(std::string(all.dict_find_string_value("priority")))
							.value_or(torrent_priority::normal);

	kept_torrent torrent;
	torrent.info_hash = std::string(all.dict_find_string_value("info-hash"));
	torrent.is_paused = all.dict_find_int_value("is-paused") != 0;
	torrent.is_doubtful = all.dict_find_int_value("is-doubtful") != 0;
	torrent.added_unix_ms = static_cast<std::uint64_t>(all.dict_find_int_value("added"));
	torrent.name = std::string(all.dict_find_string_value("name"));
	auto const time = [&all](char const *key) -> std::optional<std::uint64_t> {
		auto const found = all.dict_find_int(key);
		return found ? std::optional(static_cast<std::uint64_t>(found.int_value())) : std::nullopt;
	};
	torrent.times = {time("downloaded"), time("synced"), time("verified")};
	if (auto const failure = all.dict_find_dict("failure"))
		torrent.failure = to_error(failure);
	auto const device = all.dict_find_dict("device");
	torrent.device.size_bytes = static_cast<std::uint64_t>(device.dict_find_int_value("size"));
	torrent.device.is_block_device = device.dict_find_int_value("is-block-device") != 0;
	torrent.device.name = std::string(device.dict_find_string_value("name"));
	auto const count = all.dict_find_int_value("piece-count", -1);
	auto const bits = all.dict_find_string_value("pieces");
	if (request->target.empty() || torrent.info_hash.empty() || !device || count < 0 ||
		(static_cast<std::uint64_t>(count) + 7) / 8 != bits.size())
		return damaged("something is missing");
	torrent.pieces = unpack({bits.data(), bits.size()}, static_cast<std::size_t>(count));
	torrent.request = std::move(request);
	return torrent;
}

result<std::unique_ptr<resume_files>> resume_files::open(std::string directory)
{
	std::error_code ec;
	auto const parent = std::filesystem::path(directory).parent_path();
	std::filesystem::create_directories(parent, ec);
	if (ec)
		return make_io_error("mkdir", parent.string(), 0, 0, ec.value());
	// The directory tells which device holds what, and decides what is trusted after a restart.
	if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
		return make_io_error("mkdir", directory, 0, 0, errno);
	unique_fd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!lock)
		return make_io_error("open", directory, 0, 0, errno);
	if (::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return make_error(errc::already_exists,
				"another eziod keeps its state in " + directory + "; give this one a directory of its own");
		return make_io_error("flock", directory, 0, 0, errno);
	}
	if (::access(directory.c_str(), W_OK | X_OK) != 0)
		return make_io_error("access", directory, 0, 0, errno);
	return std::unique_ptr<resume_files>(new resume_files(std::move(directory), std::move(lock)));
}

resume_files::resume_files(std::string directory, unique_fd lock)
	: m_directory(std::move(directory)), m_lock(std::move(lock))
{
}

std::string resume_files::path_of(std::string const &info_hash, char const *suffix) const
{
	return m_directory + "/" + info_hash + suffix;
}

result<void> resume_files::save(kept_torrent const &torrent)
{
	// The metainfo first: without it the resume data say nothing.
	if (!m_written.contains(torrent.info_hash)) {
		auto const written = replace_file(path_of(torrent.info_hash, ".torrent"), torrent.request->torrent);
		if (!written)
			return written;
		m_written.insert(torrent.info_hash);
	}
	return replace_file(path_of(torrent.info_hash, ".resume"), encode_resume(torrent));
}

result<void> resume_files::erase(std::string const &info_hash)
{
	m_written.erase(info_hash);
	if (auto const removed = remove_file(path_of(info_hash, ".resume")); !removed)
		return removed;
	return remove_file(path_of(info_hash, ".torrent"));
}

result<kept_torrent> resume_files::load_one(std::string const &info_hash) const
{
	auto metainfo = read_file(path_of(info_hash, ".torrent"), file_bytes_max);
	if (!metainfo)
		return metainfo.failure();
	auto const text = read_file(path_of(info_hash, ".resume"), file_bytes_max);
	if (!text)
		return text.failure();
	auto torrent = decode_resume(*text, *std::move(metainfo));
	if (torrent && torrent->info_hash != info_hash)
		return damaged("they are of another torrent");
	return torrent;
}

result<resume_files::contents> resume_files::load() const
{
	contents all;
	std::error_code ec;
	std::filesystem::directory_iterator entries(m_directory, ec);
	if (ec)
		return make_io_error("opendir", m_directory, 0, 0, ec.value());
	for (; entries != std::filesystem::directory_iterator(); entries.increment(ec)) {
		auto const &path = entries->path();
		// Anything else is not ours: temporary files of a crash, an operator's notes.
		if (path.extension() != ".resume" || path.stem().string().size() != info_hash_digits)
			continue;
		auto torrent = load_one(path.stem().string());
		if (torrent) {
			all.torrents.push_back(*std::move(torrent));
			continue;
		}
		auto fault = torrent.failure();
		if (fault.device.empty())
			fault.device = path.string();
		all.faults.push_back(std::move(fault));
	}
	if (ec)
		return make_io_error("readdir", m_directory, 0, 0, ec.value());
	std::sort(all.torrents.begin(), all.torrents.end(),
		[](kept_torrent const &a, kept_torrent const &b) { return a.added_unix_ms < b.added_unix_ms; });
	return all;
}

} // namespace ezio
