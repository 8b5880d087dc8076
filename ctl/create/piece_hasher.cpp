#include "ctl/create/piece_hasher.hpp"

#include "actors/core/piece_digest.hpp"
#include "actors/core/posix_block_device.hpp"

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

namespace ezio
{
namespace
{

constexpr std::chrono::milliseconds progress_interval{200};
constexpr std::size_t page_bytes = 4096;
/// More readers than this gain nothing on one device, and take the hashing threads' processors.
constexpr std::ptrdiff_t readers_max = 4;

struct page_deleter {
	void operator()(std::byte *pages) const { ::operator delete[](pages, std::align_val_t(page_bytes)); }
};
using page_buffer = std::unique_ptr<std::byte[], page_deleter>;

page_buffer make_page_buffer(std::size_t size_bytes)
{
	return page_buffer(new (std::align_val_t(page_bytes)) std::byte[size_bytes]);
}

/// What the hashing threads share.
class hash_run
{
public:
	hash_run(torrent_description const &layout, std::ptrdiff_t readers)
		: m_layout(layout), m_hashes(static_cast<std::size_t>(layout.pieces.piece_count())),
		  m_readers(readers)
	{
	}

	/// One thread's work.
	void work(posix_block_device &device, std::span<std::byte> buffer)
	{
		while (auto const done = hash_next(device, buffer))
			m_done_bytes += *done;
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
	/// Device bytes of the piece that was hashed; empty when there is none left, or after a failure.
	std::optional<std::uint64_t> hash_next(posix_block_device &device, std::span<std::byte> buffer)
	{
		m_readers.acquire();
		// Taken together with the right to read, so that one reader alone goes through the device in order.
		auto const index = m_next++;
		if (m_is_stopped || index >= m_layout.pieces.piece_count()) {
			m_readers.release();
			return std::nullopt;
		}
		auto const piece = piece_index(index);
		auto const size = m_layout.pieces.piece_size(piece);
		auto const data = read_piece(device, piece, buffer.first(size));
		m_readers.release();
		if (!data) {
			std::lock_guard const lock(m_mutex);
			if (!m_failure)
				m_failure = data.failure();
			m_is_stopped = true;
			return std::nullopt;
		}
		auto &hashes = m_hashes[static_cast<std::size_t>(index)];
		hashes.sha1 = sha1_of(buffer.first(size));
		if (m_layout.has_v2) {
			for (std::uint64_t at = 0; at < *data; at += block_bytes)
				hashes.block_sha256.push_back(
					sha256_of(buffer.subspan(at, std::min<std::uint64_t>(block_bytes, *data - at))));
		}
		return *data;
	}

	/// Fills the buffer with the piece; bytes of it that are on the device.
	result<std::uint64_t> read_piece(
		posix_block_device &device, piece_index piece, std::span<std::byte> buffer)
	{
		auto const begin = m_layout.pieces.piece_offset(piece);
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
	std::vector<piece_hashes> m_hashes; ///< each entry is written by the thread that took its piece
	std::counting_semaphore<readers_max> m_readers;
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
	for (unsigned i = 0; i < count; ++i) {
		auto device = posix_block_device::open(source, source, device_access::read_only);
		if (!device)
			return device.failure();
		devices.push_back(std::move(*device));
		buffers.push_back(make_page_buffer(layout.pieces.piece_bytes));
	}
	hash_run run(layout, devices.front()->geometry().is_rotational ? 1 : readers_max);
	std::vector<std::jthread> workers;
	for (unsigned i = 0; i < count; ++i) {
		std::span const buffer(buffers[i].get(), layout.pieces.piece_bytes);
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
