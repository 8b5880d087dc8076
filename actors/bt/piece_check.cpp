#include "actors/bt/piece_check.hpp"

#include "actors/bt/bt_convert.hpp"
#include "actors/bt/merkle.hpp"
#include "actors/core/piece_digest.hpp"
#include "actors/core/storage_handles.hpp"

#include <libtorrent/torrent_info.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <random>
#include <set>

namespace ezio
{
namespace
{

constexpr std::uint64_t sampled_bytes_max = 64ULL << 20;
constexpr std::size_t sampled_pieces_min = 2;
constexpr std::size_t sampled_pieces_max = 16;
constexpr std::size_t buffer_bytes = 1U << 20;
constexpr std::align_val_t buffer_alignment{4096};

struct buffer_deleter {
	void operator()(std::byte *bytes) const { ::operator delete(bytes, buffer_alignment); }
};
using aligned_buffer = std::unique_ptr<std::byte, buffer_deleter>;

/// First, last, and some between: which ones differs from time to time.
std::set<int> choose_sample(std::vector<bool> const &known, std::size_t count)
{
	std::vector<int> there;
	for (std::size_t piece = 0; piece < known.size(); ++piece) {
		if (known[piece])
			there.push_back(static_cast<int>(piece));
	}
	std::set<int> sample;
	if (there.empty())
		return sample;
	sample.insert(there.front());
	sample.insert(there.back());
	std::vector<int> others;
	std::mt19937 random(std::random_device{}());
	std::sample(there.begin(), there.end(), std::back_inserter(others), count, random);
	for (auto const piece : others) {
		if (sample.size() < count)
			sample.insert(piece);
	}
	return sample;
}

result<void> hash_on_device(storage_handles &handles, open_storage &open, std::byte *buffer, disk_job &job)
{
	auto const &pieces = job.target->pieces();
	auto const size = pieces.piece_size(job.piece);
	hash_stream stream(job.want_sha1, job.want_block_sha256);
	for (std::uint32_t done = 0; done < size;) {
		auto const length = std::min<std::uint32_t>(buffer_bytes, size - done);
		read_buffer const into{buffer, length};
		auto const read =
			handles.read_payload(open, {pieces.piece_offset(job.piece) + done, length}, {&into, 1});
		if (!read)
			return read;
		for (std::uint32_t at = 0; at < length; at += block_bytes) {
			auto const block = std::min(block_bytes, length - at);
			auto const begin = done + at;
			auto const covered = job.sha256_bytes > begin ? std::min(block, job.sha256_bytes - begin) : 0;
			stream.add_block({buffer + at, block}, covered);
		}
		done += length;
	}
	stream.finish(job);
	return {};
}

} // namespace

void prepare_hash(lt::torrent_info const &info, disk_job &job)
{
	job.want_sha1 = info.info_hashes().has_v1();
	job.want_block_sha256 = !job.want_sha1;
	if (job.want_block_sha256)
		job.sha256_bytes =
			static_cast<std::uint32_t>(info.files().piece_size2(lt::piece_index_t{to_int(job.piece)}));
}

bool piece_matches(lt::torrent_info const &info, disk_job const &job)
{
	auto const piece = lt::piece_index_t{to_int(job.piece)};
	if (info.info_hashes().has_v1())
		return info.hash_for_piece(piece) == to_lt(job.sha1);

	// Version 2 only: the piece is a subtree of its file's tree.
	auto const &files = info.files();
	auto const file = files.file_index_at_piece(piece);
	auto const blocks_per_piece = static_cast<std::size_t>(info.piece_length()) / block_bytes;
	if (files.file_size(file) > info.piece_length()) {
		auto const layer = info.piece_layer(file);
		auto const index = static_cast<std::ptrdiff_t>(
			static_cast<int>(piece) - static_cast<int>(files.piece_index_at_file(file)));
		auto const root = to_lt(merkle_root(job.block_sha256, blocks_per_piece));
		return (index + 1) * lt::sha256_hash::size() <= layer.size() &&
			lt::sha256_hash(layer.data() + index * lt::sha256_hash::size()) == root;
	}
	std::size_t leaves = 1;
	while (leaves < job.block_sha256.size())
		leaves *= 2;
	return files.root(file) == to_lt(merkle_root(job.block_sha256, leaves));
}

std::string doubt_known_pieces(lt::torrent_info const &info, std::shared_ptr<storage> const &target,
	std::vector<bool> const &known, std::function<bool()> const &is_abandoned)
{
	auto const pieces = static_cast<std::size_t>(target->pieces().piece_count());
	if (known.size() != pieces)
		return "pieces of another torrent were kept";
	auto const count = std::clamp<std::size_t>(
		sampled_bytes_max / target->pieces().piece_bytes, sampled_pieces_min, sampled_pieces_max);

	partition_stats unread; // these reads are nobody's statistics
	storage_handles handles(unread);
	auto const open = handles.acquire(target);
	if (!open)
		return to_string(open.failure());
	aligned_buffer const buffer(static_cast<std::byte *>(::operator new(buffer_bytes, buffer_alignment)));
	for (auto const piece : choose_sample(known, count)) {
		if (is_abandoned())
			return "nobody waited for the rest";
		disk_job job;
		job.kind = job_kind::hash_piece;
		job.target = target;
		job.piece = piece_index{piece};
		prepare_hash(info, job);
		if (auto const hashed = hash_on_device(handles, **open, buffer.get(), job); !hashed)
			return to_string(hashed.failure());
		if (!piece_matches(info, job))
			return "piece " + std::to_string(piece) + " is not what was kept";
	}
	return {};
}

} // namespace ezio
