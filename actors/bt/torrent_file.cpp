#include "actors/bt/torrent_file.hpp"

#include <libtorrent/bdecode.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/hasher.hpp>
#include <libtorrent/hex.hpp>
#include <libtorrent/torrent_info.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace ezio
{
namespace
{

constexpr std::size_t faults_max = 32;
constexpr int decode_depth_max = 64;
constexpr int decode_tokens_max = 6'000'000;
constexpr std::int64_t piece_bytes_min = 16 * 1024;
constexpr std::int64_t piece_bytes_max = 256 * 1024 * 1024;
constexpr std::size_t name_bytes_max = 200;
constexpr std::uint64_t payload_bytes_max = (std::uint64_t{1} << 48) - 1;
constexpr std::int64_t pieces_max = 0x200000;
/// libtorrent refuses files of 16 TiB; longer extents become several files.
constexpr std::uint64_t file_bytes_max = std::uint64_t{8} << 40;

/// Text from a stranger's file, fit for a terminal: control characters become '?'.
std::string printable(std::string_view text)
{
	std::string out(text);
	for (auto &c : out) {
		if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
			c = '?';
	}
	return out;
}

/// The same, quoted, shortened and strictly ASCII, for a message.
std::string quoted(std::string_view text)
{
	constexpr std::size_t shown_max = 60;
	std::string out = "\"";
	for (auto const c : text.substr(0, shown_max)) {
		auto const byte = static_cast<unsigned char>(c);
		if (byte < 0x20 || byte >= 0x7f) {
			std::array<char, 8> hex{};
			std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
			out += hex.data();
		} else {
			out += c;
		}
	}
	return out + (text.size() > shown_max ? "...\"" : "\"");
}

std::string number(std::uint64_t value)
{
	return std::to_string(value);
}

/// One entry of the file list as it was written, before libtorrent makes path names of it.
struct raw_file {
	std::string name;
	std::optional<std::uint64_t> length_bytes;
	bool is_pad = false;
	std::string fault; ///< empty if none
};

/// What can be read from the info dictionary without believing any of it.
struct raw_info {
	std::vector<raw_file> files;
	std::vector<std::string> faults;
	std::size_t faults_left_out = 0;

	void add_fault(std::string fault)
	{
		if (faults.size() < faults_max)
			faults.push_back(std::move(fault));
		else
			++faults_left_out;
	}
};

std::string path_fault(std::string_view element)
{
	if (element.empty())
		return "has an empty path element";
	if (element == "." || element == "..")
		return "has the path element " + quoted(element);
	if (element.find('/') != std::string_view::npos || element.find('\0') != std::string_view::npos)
		return "has a path element with a separator, " + quoted(element);
	return {};
}

std::optional<std::uint64_t> length_of(lt::bdecode_node const &dict)
{
	auto const node = dict.dict_find_int("length");
	if (!node)
		return std::nullopt;
	auto const value = node.int_value();
	std::array<char, 200> message{};
	// A number of more than 63 bits reads as some other one, with this as the only sign.
	if (node.has_soft_error(message) || value < 0)
		return std::nullopt;
	return static_cast<std::uint64_t>(value);
}

/// @p dict holds "length" and "attr" of the file.
raw_file read_file_entry(lt::bdecode_node const &dict)
{
	raw_file file;
	if (dict.type() != lt::bdecode_node::dict_t) {
		file.fault = "is not a dictionary";
		return file;
	}
	auto const attributes = dict.dict_find_string_value("attr");
	file.is_pad = attributes.find('p') != lt::string_view::npos;
	file.length_bytes = length_of(dict);
	if (attributes.find('l') != lt::string_view::npos)
		file.fault = "is a symbolic link";
	else if (!file.length_bytes)
		file.fault = "has no length from 0 to 2^63-1";
	return file;
}

void set_path(raw_file &file, std::vector<std::string_view> const &path)
{
	if (path.empty()) {
		if (!file.is_pad && file.fault.empty())
			file.fault = "has no path";
		return;
	}
	for (auto const element : path) {
		auto fault = path_fault(element);
		if (!fault.empty() && file.fault.empty())
			file.fault = std::move(fault);
		// BitComet marks padding by this name alone, and so does libtorrent.
		if (element.find("_____padding_file_") != std::string_view::npos)
			file.is_pad = true;
	}
	file.name = std::string(path.back());
}

std::string_view view(lt::string_view text)
{
	return {text.data(), text.size()};
}

void read_v1_files(lt::bdecode_node const &list, raw_info &out)
{
	for (int i = 0; i < list.list_size(); ++i) {
		auto const entry = list.list_at(i);
		auto file = read_file_entry(entry);
		if (entry.type() == lt::bdecode_node::dict_t) {
			auto path_node = entry.dict_find_list("path.utf-8");
			if (!path_node)
				path_node = entry.dict_find_list("path");
			std::vector<std::string_view> path;
			for (int e = 0; path_node && e < path_node.list_size(); ++e) {
				auto const element = path_node.list_at(e);
				path.push_back(
					element.type() == lt::bdecode_node::string_t ? view(element.string_value()) : "");
			}
			set_path(file, path);
		}
		out.files.push_back(std::move(file));
	}
}

/// A version 2 file tree. The depth is bounded by the decoder's limit.
void read_file_tree(lt::bdecode_node const &tree, std::vector<std::string_view> &path, raw_info &out)
{
	for (int i = 0; i < tree.dict_size(); ++i) {
		auto const [key, value] = tree.dict_at(i);
		path.push_back(view(key));
		if (value.type() != lt::bdecode_node::dict_t) {
			raw_file file;
			file.fault = "is not a dictionary";
			set_path(file, path);
			out.files.push_back(std::move(file));
		} else if (value.dict_size() == 1 && value.dict_at(0).first.empty()) {
			auto file = read_file_entry(value.dict_at(0).second);
			set_path(file, path);
			out.files.push_back(std::move(file));
		} else {
			read_file_tree(value, path, out);
		}
		path.pop_back();
	}
}

void read_files(lt::bdecode_node const &info, raw_info &out)
{
	if (auto const list = info.dict_find_list("files")) {
		read_v1_files(list, out);
	} else if (info.dict_find("length")) {
		auto file = read_file_entry(info);
		auto name = info.dict_find_string("name.utf-8");
		if (!name)
			name = info.dict_find_string("name");
		set_path(file, name ? std::vector{view(name.string_value())} : std::vector<std::string_view>{});
		out.files.push_back(std::move(file));
	} else if (auto const tree = info.dict_find_dict("file tree")) {
		std::vector<std::string_view> path;
		read_file_tree(tree, path, out);
	}
	if (out.files.empty())
		out.add_fault("the torrent has no files");
}

/// Faults of single entries, then of their sum. Returns the payload's length if it is known.
std::optional<std::uint64_t> check_files(raw_info &info)
{
	std::vector<torrent_file_entry> sound;
	std::uint64_t total = 0;
	bool is_whole = true;
	for (std::size_t i = 0; i < info.files.size(); ++i) {
		auto const &file = info.files[i];
		auto const label = "file " + number(i) + (file.name.empty() ? "" : " " + quoted(file.name));
		if (!file.fault.empty()) {
			info.add_fault(label + " " + file.fault);
			is_whole = false;
			continue;
		}
		if (!file.is_pad) {
			if (!parse_extent_name(file.name)) {
				info.add_fault(
					label + " is not named by a device offset (1 to 32 hexadecimal digits below 2^63)");
				is_whole = false;
				continue;
			}
		}
		if (*file.length_bytes > payload_bytes_max || total + *file.length_bytes > payload_bytes_max) {
			info.add_fault(label + " of " + number(*file.length_bytes) +
				" bytes makes the torrent larger than 2^48 bytes");
			return std::nullopt;
		}
		total += *file.length_bytes;
		sound.push_back({file.name, *file.length_bytes, file.is_pad});
	}
	auto const map = extent_map::build(sound);
	if (!map) {
		info.add_fault(map.failure().message);
	} else if (is_whole && !info.files.empty() && map->device_bytes() == 0) {
		info.add_fault("the torrent covers no byte of a device");
	}
	return is_whole ? std::optional(total) : std::nullopt;
}

void check_pieces(lt::bdecode_node const &info, std::optional<std::uint64_t> total, raw_info &out)
{
	auto const piece_bytes = info.dict_find_int_value("piece length", -1);
	if (piece_bytes < piece_bytes_min || piece_bytes > piece_bytes_max ||
		!std::has_single_bit(static_cast<std::uint64_t>(piece_bytes))) {
		out.add_fault("the piece length " + std::to_string(piece_bytes) +
			" is not a power of two from 16 KiB to 256 MiB");
		return;
	}
	auto const pieces = info.dict_find_string("pieces");
	// Padding that a hybrid torrent implies at its end makes the count of pieces no different.
	if (!pieces || !total || *total == 0)
		return;
	auto const expected = (*total - 1) / static_cast<std::uint64_t>(piece_bytes) + 1;
	auto const found = static_cast<std::uint64_t>(pieces.string_length());
	if (found != expected * 20) {
		out.add_fault("the torrent has " + number(found) + " bytes of SHA-1 hashes where its " +
			number(expected) + " pieces need " + number(expected * 20));
	}
}

std::string hex(char const *data, std::ptrdiff_t size)
{
	return lt::aux::to_hex({data, size});
}

void describe(lt::torrent_info const &torrent, torrent_description &out)
{
	auto const &hashes = torrent.info_hashes();
	out.has_v1 = hashes.has_v1();
	out.has_v2 = hashes.has_v2();
	if (hashes.has_v2())
		out.info_hash_v2 = hex(hashes.v2.data(), hashes.v2.size());
	out.info_hash =
		hashes.has_v1() ? hex(hashes.v1.data(), hashes.v1.size()) : out.info_hash_v2.substr(0, 40);
	out.name = printable(torrent.name());
	out.files = static_cast<std::uint32_t>(torrent.num_files());
	out.pieces.total_bytes = static_cast<std::uint64_t>(torrent.total_size());
	out.pieces.piece_bytes = static_cast<std::uint32_t>(torrent.piece_length());
	for (auto const &tracker : torrent.trackers())
		out.trackers.push_back(printable(tracker.url));
	out.comment = printable(torrent.comment());
	out.creator = printable(torrent.creator());
	out.created_unix = torrent.creation_date() > 0 ? static_cast<std::uint64_t>(torrent.creation_date()) : 0;
}

/// The map of the files as libtorrent laid them out, with the names as they were written.
result<extent_map> map_of(lt::file_storage const &files, raw_info const &raw)
{
	auto const inconsistent = [] {
		return make_error(errc::invalid_torrent, "the torrent's file lists contradict each other");
	};
	bool const same_order = raw.files.size() == static_cast<std::size_t>(files.num_files());
	std::vector<torrent_file_entry> entries;
	std::size_t next = 0;
	for (auto const index : files.file_range()) {
		torrent_file_entry entry;
		entry.length_bytes = static_cast<std::uint64_t>(files.file_size(index));
		entry.is_pad = files.pad_file_at(index);
		// A version 2 file tree does not list the padding that libtorrent adds.
		if (entry.is_pad && !same_order) {
			entries.push_back(std::move(entry));
			continue;
		}
		if (next == raw.files.size())
			return inconsistent();
		auto const &file = raw.files[next++];
		if (file.is_pad != entry.is_pad || file.length_bytes != entry.length_bytes)
			return inconsistent();
		entry.name = file.name;
		entries.push_back(std::move(entry));
	}
	if (next != raw.files.size())
		return inconsistent();
	return extent_map::build(entries);
}

torrent_examination refused(std::string fault)
{
	torrent_examination out;
	out.faults.push_back(std::move(fault));
	return out;
}

torrent_examination examine(std::string const &bytes)
{
	if (bytes.size() > torrent_bytes_max)
		return refused("the torrent file is larger than 16 MiB");
	if (bytes.empty())
		return refused("the torrent file is empty");
	lt::error_code failure;
	int position = -1;
	auto const root = lt::bdecode(bytes, failure, &position, decode_depth_max, decode_tokens_max);
	if (failure)
		return refused("not a torrent: " + failure.message() + " at byte " + std::to_string(position));
	if (root.type() != lt::bdecode_node::dict_t)
		return refused("not a torrent: the file is not a dictionary");
	auto const info = root.dict_find_dict("info");
	if (!info)
		return refused("not a torrent: there is no info dictionary");

	raw_info raw;
	read_files(info, raw);
	auto const total = check_files(raw);
	check_pieces(info, total, raw);

	torrent_examination out;
	lt::torrent_info const torrent(root, failure);
	if (failure) {
		// Said before in better words, unless nothing was found before.
		if (raw.faults.empty())
			raw.add_fault("the torrent is not valid: " + failure.message());
		out.description.name = printable(view(info.dict_find_string_value("name")));
	} else {
		describe(torrent, out.description);
		if (auto map = map_of(torrent.files(), raw))
			out.description.extents = std::move(*map);
		else if (raw.faults.empty())
			raw.add_fault(map.failure().message);
	}
	out.faults = std::move(raw.faults);
	if (raw.faults_left_out > 0)
		out.faults.push_back("and " + number(raw.faults_left_out) + " more faults");
	return out;
}

error bad_plan(std::string message)
{
	return make_error(errc::invalid_argument, std::move(message));
}

result<void> check_plan(torrent_plan const &plan)
{
	if (plan.name.empty() || plan.name.size() > name_bytes_max || !path_fault(plan.name).empty() ||
		printable(plan.name) != plan.name)
		return bad_plan("a torrent cannot be named " + quoted(plan.name));
	if (plan.piece_bytes < piece_bytes_min || plan.piece_bytes > piece_bytes_max ||
		!std::has_single_bit(plan.piece_bytes))
		return bad_plan("a piece size of " + number(plan.piece_bytes) +
			" bytes is not a power of two from 16 KiB to 256 MiB");
	if (plan.extents.empty())
		return bad_plan("there is nothing to put into the torrent");
	std::uint64_t end = 0;
	std::uint64_t total = 0;
	for (auto const &extent : plan.extents) {
		if (extent.length_bytes == 0 || extent.offset_bytes < end ||
			extent.length_bytes > payload_bytes_max ||
			extent.offset_bytes > std::numeric_limits<std::int64_t>::max() - extent.length_bytes)
			return bad_plan("the extent at offset " + number(extent.offset_bytes) + " of " +
				number(extent.length_bytes) + " bytes is empty, out of order or out of range");
		end = extent.end_bytes();
		auto const unit = plan.is_hybrid ? plan.piece_bytes : 1U;
		total += (extent.length_bytes + unit - 1) / unit * unit;
		if (total > payload_bytes_max || total / plan.piece_bytes >= static_cast<std::uint64_t>(pieces_max))
			return bad_plan("pieces of " + number(plan.piece_bytes) +
				" bytes are too small for a torrent of " + number(total) + " bytes");
	}
	for (auto const &tracker : plan.trackers) {
		bool const is_url = tracker.starts_with("http://") || tracker.starts_with("https://") ||
			tracker.starts_with("udp://");
		if (!is_url || printable(tracker) != tracker)
			return bad_plan(quoted(tracker) + " is not an http, https or udp tracker");
	}
	return {};
}

lt::create_flags_t flags_of(torrent_plan const &plan)
{
	return plan.is_hybrid ? lt::create_flags_t{} : lt::create_torrent::v1_only;
}

lt::file_storage files_of(torrent_plan const &plan)
{
	lt::file_storage files;
	for (auto extent : plan.extents) {
		while (extent.length_bytes > 0) {
			auto const length = std::min(extent.length_bytes, file_bytes_max);
			std::array<char, 40> name{};
			std::snprintf(
				name.data(), name.size(), "%032llx", static_cast<unsigned long long>(extent.offset_bytes));
			files.add_file(plan.name + "/" + name.data(), static_cast<std::int64_t>(length));
			extent.offset_bytes += length;
			extent.length_bytes -= length;
		}
	}
	return files;
}

lt::sha256_hash to_lt(sha256_digest const &digest)
{
	return lt::sha256_hash(reinterpret_cast<char const *>(digest.data()));
}

/// BEP 52: the root over a piece's block hashes; leaves beyond the data are zero.
lt::sha256_hash merkle_root(std::span<sha256_digest const> blocks, std::size_t leaves)
{
	std::vector<lt::sha256_hash> level(leaves);
	std::transform(blocks.begin(), blocks.end(), level.begin(), to_lt);
	while (level.size() > 1) {
		for (std::size_t i = 0; i < level.size() / 2; ++i)
			level[i] = lt::hasher256().update(level[2 * i]).update(level[2 * i + 1]).final();
		level.resize(level.size() / 2);
	}
	return level.front();
}

/// Gives each file its piece roots. False if the number of block hashes is wrong.
bool set_roots(lt::create_torrent &torrent, std::vector<piece_hashes> const &hashes)
{
	auto const &files = torrent.files();
	auto const piece_bytes = static_cast<std::int64_t>(files.piece_length());
	for (auto const file : files.file_range()) {
		if (files.pad_file_at(file))
			continue;
		auto const size = files.file_size(file);
		auto const first = files.file_offset(file) / piece_bytes;
		for (std::int64_t begin = 0; begin < size; begin += piece_bytes) {
			auto const piece = begin / piece_bytes;
			auto const length = std::min(piece_bytes, size - begin);
			auto const blocks = static_cast<std::size_t>((length + block_bytes - 1) / block_bytes);
			auto const &digests = hashes[static_cast<std::size_t>(first + piece)].block_sha256;
			if (digests.size() != blocks)
				return false;
			// A file of one piece has a tree of its own height; pieces of longer files are whole subtrees.
			auto const leaves = size <= piece_bytes ? std::bit_ceil(blocks)
													: static_cast<std::size_t>(piece_bytes / block_bytes);
			torrent.set_hash2(
				file, lt::piece_index_t::diff_type(static_cast<int>(piece)), merkle_root(digests, leaves));
		}
	}
	return true;
}

} // namespace

result<torrent_description> parse_torrent(std::string const &bytes)
{
	auto examination = examine_torrent(bytes);
	if (!examination.faults.empty())
		return make_error(errc::invalid_torrent, std::move(examination.faults.front()));
	return std::move(examination.description);
}

torrent_examination examine_torrent(std::string const &bytes)
{
	try {
		return examine(bytes);
	} catch (std::exception const &e) {
		return refused(std::string("the torrent is not valid: ") + e.what());
	}
}

result<torrent_description> lay_out(torrent_plan const &plan)
{
	if (auto const sound = check_plan(plan); !sound)
		return sound.failure();
	try {
		auto files = files_of(plan);
		lt::create_torrent const torrent(files, static_cast<int>(plan.piece_bytes), flags_of(plan));
		std::vector<torrent_file_entry> entries;
		for (auto const index : files.file_range()) {
			entries.push_back({std::string(view(files.file_name(index))),
				static_cast<std::uint64_t>(files.file_size(index)), files.pad_file_at(index)});
		}
		auto map = extent_map::build(entries);
		if (!map)
			return map.failure();
		torrent_description out;
		out.name = plan.name;
		out.has_v1 = true;
		out.has_v2 = plan.is_hybrid;
		out.pieces = {static_cast<std::uint64_t>(files.total_size()), plan.piece_bytes};
		out.extents = std::move(*map);
		out.files = static_cast<std::uint32_t>(files.num_files());
		out.trackers = plan.trackers;
		out.comment = plan.comment;
		out.creator = plan.creator;
		out.created_unix = plan.created_unix;
		return out;
	} catch (std::exception const &e) {
		return bad_plan(std::string("the torrent cannot be laid out: ") + e.what());
	}
}

result<std::string> build_torrent(torrent_plan const &plan, std::vector<piece_hashes> const &hashes)
{
	if (auto const sound = check_plan(plan); !sound)
		return sound.failure();
	try {
		auto files = files_of(plan);
		lt::create_torrent torrent(files, static_cast<int>(plan.piece_bytes), flags_of(plan));
		if (hashes.size() != static_cast<std::size_t>(torrent.num_pieces()))
			return bad_plan(number(hashes.size()) + " hashes for a torrent of " +
				std::to_string(torrent.num_pieces()) + " pieces");
		for (auto const piece : torrent.piece_range()) {
			auto const &sha1 = hashes[static_cast<std::size_t>(static_cast<int>(piece))].sha1;
			torrent.set_hash(piece, lt::sha1_hash(reinterpret_cast<char const *>(sha1.data())));
		}
		if (plan.is_hybrid && !set_roots(torrent, hashes))
			return bad_plan("a piece has the wrong number of block hashes");
		for (std::size_t i = 0; i < plan.trackers.size(); ++i)
			torrent.add_tracker(plan.trackers[i], static_cast<int>(i));
		if (!plan.comment.empty())
			torrent.set_comment(plan.comment.c_str());
		if (!plan.creator.empty())
			torrent.set_creator(plan.creator.c_str());
		torrent.set_creation_date(static_cast<std::time_t>(plan.created_unix));
		auto const encoded = torrent.generate_buf();
		if (encoded.size() > torrent_bytes_max)
			return make_error(errc::out_of_range,
				"the torrent would be " + number(encoded.size()) +
					" bytes, more than the 16 MiB that are accepted; use larger pieces");
		return std::string(encoded.begin(), encoded.end());
	} catch (std::exception const &e) {
		return make_error(errc::internal, std::string("the torrent cannot be built: ") + e.what());
	}
}

} // namespace ezio
