#include "ctl/create/piece_hasher.hpp"

#include "actors/core/hash_plan.hpp"
#include "actors/core/posix_block_device.hpp"
#include "actors/core/sha_stream.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <semaphore>
#include <span>
#include <thread>
#include <utility>

#include <sys/mman.h>

namespace ezio
{
namespace
{

constexpr std::chrono::milliseconds progress_interval{200};
constexpr std::size_t huge_page_bytes = 2 * 1024 * 1024;
/// How much of each piece is in memory at once, unless the source rotates. What comes through the page cache
/// is copied, and should still be near the processor when it is hashed: one slice a lane is 1 MiB.
constexpr std::uint32_t copied_slice_bytes_max = 64 * 1024;
/// Direct transfers cost less the longer they are ...
constexpr std::uint32_t direct_slice_bytes_max = 1024 * 1024;
constexpr std::uint32_t direct_slice_bytes_min = 256 * 1024;
/// ... but all threads together should not take more than this for it.
constexpr std::uint32_t direct_buffers_bytes_max = 256 * 1024 * 1024;
/// More readers than this gain nothing on one device, and take the hashing threads' processors.
constexpr std::ptrdiff_t readers_max = 4;

struct page_deleter {
	void operator()(std::byte *pages) const { ::operator delete[](pages, std::align_val_t(huge_page_bytes)); }
};
using page_buffer = std::unique_ptr<std::byte[], page_deleter>;

page_buffer make_page_buffer(std::size_t size_bytes)
{
	page_buffer buffer(new (std::align_val_t(huge_page_bytes)) std::byte[size_bytes]);
	// Advice only: the kernel takes hold of fewer pages for each direct transfer.
	[[maybe_unused]] auto const advised = ::madvise(buffer.get(), size_bytes, MADV_HUGEPAGE);
	return buffer;
}

/// How the work is cut: every thread goes through several pieces side by side, slice by slice.
struct hash_shape {
	std::int32_t pieces = 1;
	std::uint32_t slice_bytes = 0;
	std::ptrdiff_t readers = 1;

	std::size_t buffer_bytes() const { return static_cast<std::size_t>(pieces) * slice_bytes; }
};

hash_shape shape_for(piece_geometry const &pieces, device_geometry const &device, unsigned threads)
{
	// One reader, and whole pieces, so that the heads go through the device once; such a device is slower
	// than any way to hash.
	if (device.is_rotational)
		return {1, pieces.piece_bytes, 1};
	auto const share = (static_cast<unsigned>(pieces.piece_count()) + threads - 1) / threads;
	auto const side_by_side = std::min(share, static_cast<unsigned>(sha_lanes_max));
	auto const part = direct_buffers_bytes_max / static_cast<std::uint32_t>(sha_lanes_max) / threads;
	auto const direct_slice = std::clamp(part / direct_slice_bytes_min * direct_slice_bytes_min,
		direct_slice_bytes_min, direct_slice_bytes_max);
	auto const slice = device.is_direct ? direct_slice : copied_slice_bytes_max;
	return {static_cast<std::int32_t>(side_by_side), std::min(pieces.piece_bytes, slice), readers_max};
}

using reader_rights = std::counting_semaphore<readers_max>;

class reader_right
{
public:
	explicit reader_right(reader_rights &rights) : m_rights(rights) { m_rights.acquire(); }
	~reader_right() { m_rights.release(); }
	reader_right(reader_right const &) = delete;
	reader_right &operator=(reader_right const &) = delete;

private:
	reader_rights &m_rights;
};

/// Pieces that a thread hashes side by side, with one slice of each.
struct piece_group {
	struct slice {
		std::span<std::byte const> bytes;
		std::uint64_t device_bytes = 0; ///< the rest of the slice is padding
	};

	std::int32_t first = 0;
	std::vector<sha_stream> sha1; ///< one a piece
	std::vector<slice> slices;    ///< one a piece
};

/// What the hashing threads share.
class hash_run
{
public:
	hash_run(torrent_description const &layout, hash_shape const &shape)
		: m_layout(layout), m_shape(shape), m_hashes(static_cast<std::size_t>(layout.pieces.piece_count())),
		  m_readers(shape.readers)
	{
	}

	/// One thread's work. The buffer has room for one slice of each of its pieces.
	void work(posix_block_device &device, std::span<std::byte> buffer)
	{
		while (hash_next(device, buffer)) {
		}
		std::lock_guard const lock(m_mutex);
		++m_ended;
		m_changed.notify_all();
	}

	void stop() { m_is_stopped = true; }
	std::uint64_t done_bytes() const { return m_done_bytes; }

	/// True when all @p threads have ended; false after a while if not.
	bool wait_for_end(unsigned threads)
	{
		std::unique_lock lock(m_mutex);
		return m_changed.wait_for(lock, progress_interval, [&] { return m_ended == threads; });
	}

	/// After the end.
	std::optional<error> const &failure() const { return m_failure; }
	std::vector<piece_hashes> take_hashes() { return std::move(m_hashes); }

private:
	/// False when no piece is left, or after a failure.
	bool hash_next(posix_block_device &device, std::span<std::byte> buffer)
	{
		piece_group group;
		for (std::uint32_t at = 0; at < m_layout.pieces.piece_bytes; at += m_shape.slice_bytes) {
			std::uint64_t read_bytes = 0;
			{
				reader_right const right(m_readers);
				// Taken together with the right to read, so that one reader alone goes through the device
				// in order.
				if (at == 0)
					group = take_group();
				if (m_is_stopped || group.sha1.empty())
					return false;
				auto const done = read_slices(device, group, at, buffer);
				if (!done) {
					std::lock_guard const lock(m_mutex);
					if (!m_failure)
						m_failure = done.failure();
					m_is_stopped = true;
					return false;
				}
				read_bytes = *done;
			}
			hash_slices(group, at);
			m_done_bytes += read_bytes;
		}
		for (std::size_t i = 0; i < group.sha1.size(); ++i)
			hashes_of(group, i).sha1 = group.sha1[i].digest<20>();
		return true;
	}

	piece_group take_group()
	{
		piece_group group;
		group.first = m_next.fetch_add(m_shape.pieces);
		auto const count = std::clamp(m_layout.pieces.piece_count() - group.first, 0, m_shape.pieces);
		group.sha1.assign(static_cast<std::size_t>(count), sha_stream(sha_kind::sha1));
		group.slices.resize(group.sha1.size());
		return group;
	}

	piece_hashes &hashes_of(piece_group const &group, std::size_t i)
	{
		return m_hashes[static_cast<std::size_t>(group.first) + i];
	}
	std::uint32_t piece_size(piece_group const &group, std::size_t i) const
	{
		return m_layout.pieces.piece_size(piece_index(group.first + static_cast<std::int32_t>(i)));
	}

	/// The slices of all pieces from @p at; bytes that were read.
	result<std::uint64_t> read_slices(
		posix_block_device &device, piece_group &group, std::uint32_t at, std::span<std::byte> buffer)
	{
		std::uint64_t total_bytes = 0;
		for (std::size_t i = 0; i < group.slices.size(); ++i) {
			auto &slice = group.slices[i];
			auto const size = piece_size(group, i);
			auto const length = size > at ? std::min(size - at, m_shape.slice_bytes) : 0;
			auto const begin =
				m_layout.pieces.piece_offset(piece_index(group.first + static_cast<std::int32_t>(i))) + at;
			auto const bytes = buffer.subspan(i * m_shape.slice_bytes, length);
			slice.bytes = bytes;
			slice.device_bytes = 0;
			if (length == 0)
				continue;
			auto const done = read_payload(device, begin, bytes);
			if (!done)
				return done.failure();
			slice.device_bytes = *done;
			total_bytes += *done;
		}
		return total_bytes;
	}

	void hash_slices(piece_group &group, std::uint32_t at)
	{
		std::vector<sha_part> parts;
		for (std::size_t i = 0; i < group.slices.size(); ++i) {
			auto const &bytes = group.slices[i].bytes;
			if (!bytes.empty())
				parts.push_back({&group.sha1[i], {&bytes, 1}, at + bytes.size() == piece_size(group, i)});
		}
		hash_parts(*m_plan, parts);
		if (m_layout.has_v2)
			hash_blocks(group);
	}

	/// SHA-256 of every block of every slice.
	void hash_blocks(piece_group const &group)
	{
		std::vector<std::span<std::byte const>> blocks;
		std::vector<std::size_t> owners;
		for (std::size_t i = 0; i < group.slices.size(); ++i) {
			auto const &slice = group.slices[i];
			for (std::uint64_t at = 0; at < slice.device_bytes; at += block_bytes) {
				auto const length = std::min<std::uint64_t>(block_bytes, slice.device_bytes - at);
				blocks.push_back(slice.bytes.subspan(at, length));
				owners.push_back(i);
			}
		}
		std::vector<sha_stream> streams(blocks.size(), sha_stream(sha_kind::sha256));
		std::vector<sha_part> parts;
		for (std::size_t i = 0; i < blocks.size(); ++i)
			parts.push_back({&streams[i], {&blocks[i], 1}, true});
		hash_parts(*m_plan, parts);
		for (std::size_t i = 0; i < blocks.size(); ++i)
			hashes_of(group, owners[i]).block_sha256.push_back(streams[i].digest<32>());
	}

	/// Fills the buffer with the payload from @p begin; bytes of it that are on the device.
	result<std::uint64_t> read_payload(
		posix_block_device &device, std::uint64_t begin, std::span<std::byte> buffer)
	{
		std::uint64_t device_bytes = 0;
		std::optional<error> failure;
		m_layout.extents.for_each_segment({begin, buffer.size()}, [&](extent_segment const &segment) {
			auto const part = buffer.subspan(segment.payload_offset_bytes - begin, segment.length_bytes);
			if (segment.is_pad) {
				std::memset(part.data(), 0, part.size());
				return;
			}
			if (failure)
				return;
			read_buffer const target{part.data(), part.size()};
			auto const done = device.read_at({&target, 1}, segment.device_offset_bytes);
			if (!done)
				failure = done.failure();
			device_bytes += segment.length_bytes;
		});
		if (failure)
			return *failure;
		return device_bytes;
	}

	torrent_description const &m_layout;
	hash_shape m_shape;
	std::shared_ptr<hash_plan const> m_plan = default_hash_plan();
	std::vector<piece_hashes> m_hashes; ///< each entry is written by the thread that took its piece
	reader_rights m_readers;
	std::atomic<std::int32_t> m_next{0};
	std::atomic<bool> m_is_stopped{false};
	std::atomic<std::uint64_t> m_done_bytes{0};
	std::mutex m_mutex;
	std::condition_variable m_changed;
	unsigned m_ended = 0;           ///< guarded by m_mutex
	std::optional<error> m_failure; ///< guarded by m_mutex
};

} // namespace

result<std::vector<piece_hashes>> hash_pieces(std::string const &source, torrent_description const &layout,
	unsigned threads, std::function<void(std::uint64_t, std::uint64_t)> const &progress,
	std::atomic<bool> const &interrupted)
{
	auto const count = std::clamp(threads, 1U, static_cast<unsigned>(layout.pieces.piece_count()));
	std::vector<std::unique_ptr<posix_block_device>> devices;
	std::vector<page_buffer> buffers;
	device_geometry geometry;
	for (unsigned i = 0; i < count; ++i) {
		auto device = posix_block_device::open(source, source, device_access::read_only);
		if (!device)
			return device.failure();
		geometry = (*device)->geometry();
		devices.push_back(std::move(*device));
	}
	auto const shape = shape_for(layout.pieces, geometry, count);
	hash_run run(layout, shape);
	std::vector<std::jthread> workers;
	for (unsigned i = 0; i < count; ++i) {
		buffers.push_back(make_page_buffer(shape.buffer_bytes()));
		std::span const buffer(buffers[i].get(), shape.buffer_bytes());
		workers.emplace_back([&run, buffer, &device = *devices[i]] { run.work(device, buffer); });
	}
	auto const total = layout.extents.device_bytes();
	while (!run.wait_for_end(count)) {
		if (interrupted)
			run.stop();
		if (progress)
			progress(run.done_bytes(), total);
	}
	workers.clear();
	if (run.failure())
		return *run.failure();
	if (interrupted)
		return make_error(errc::interrupted, "interrupted while hashing " + source);
	if (progress)
		progress(run.done_bytes(), total);
	return run.take_hashes();
}

} // namespace ezio
