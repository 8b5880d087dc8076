#pragma once

#include "actors/core/disk_identity.hpp"
#include "actors/core/flush_history.hpp"
#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace ezio
{

/// One buffer of a scattered transfer. The bytes belong to the caller and must outlive the call.
struct write_buffer {
	std::byte const *data = nullptr;
	std::size_t size_bytes = 0;
};
struct read_buffer {
	std::byte *data = nullptr;
	std::size_t size_bytes = 0;
};

/// One transfer of a batch. The spans must outlive the call; outcome and took are filled by it.
struct device_read {
	std::span<read_buffer const> buffers;
	std::uint64_t offset_bytes = 0;
	result<void> outcome;            ///< errc::aborted: not tried or not finished, as another failed
	std::chrono::nanoseconds took{}; ///< from its begin to its end
};
struct device_write {
	std::span<write_buffer const> buffers;
	std::uint64_t offset_bytes = 0;
	result<void> outcome;
	std::chrono::nanoseconds took{};
};

/// The outcome of a transfer that was not tried, since another of its batch failed.
error make_untried_error(std::string const &path, std::uint64_t offset_bytes);

/// What is known of an opened device or image file.
struct device_geometry {
	std::uint64_t size_bytes = 0;           ///< block device: its size; regular file: st_size
	std::uint32_t logical_sector_bytes = 1; ///< unit of addressing; 1 for regular files
	bool is_block_device = false;
	bool is_direct = false;     ///< transfers that are aligned bypass the page cache
	std::string direct_refusal; ///< why they do not although they were to; empty: they do, or were not to
	bool is_rotational = false;
};

/// The one door through which bytes reach a device. A transfer either moves every byte or returns an error
/// that names operation, device, offset, length and errno; there is no short success. Buffers may have any
/// size and alignment: what direct I/O cannot carry goes through a buffered handle, inside.
///
/// One object is used by one thread at a time. Several objects may be open on one device.
class block_device
{
public:
	virtual ~block_device() = default;

	virtual device_geometry const &geometry() const = 0;
	virtual std::string const &path() const = 0;

	/// Fills all buffers from consecutive bytes starting at @p offset_bytes.
	virtual result<void> read_at(std::span<read_buffer const> buffers, std::uint64_t offset_bytes) = 0;
	/// Writes all buffers to consecutive bytes starting at @p offset_bytes.
	virtual result<void> write_at(std::span<write_buffer const> buffers, std::uint64_t offset_bytes) = 0;
	/// Several transfers that do not overlap, each as read_at() or write_at() does it, but in no certain
	/// order where queue_depth() is more than 1. After a failure none is begun any more; those under way
	/// beside it come to their own ends.
	virtual void read_batch(std::span<device_read> batch);
	virtual void write_batch(std::span<device_write> batch);
	/// How many transfers of a batch can be under way together.
	virtual std::size_t queue_depth() const { return 1; }
	/// Returns when everything written through this object, and before it was opened through others, is on
	/// stable storage (fdatasync(2)). A failure is
	/// final: the kernel may have dropped the data and forgotten, so what was written since the last success
	/// is not to be trusted.
	virtual result<void> flush() = 0;
	/// What the page cache has of these bytes and their neighbourhood, and has written, is dropped as far as
	/// the kernel lets go of it, so that a read asks the device (posix_fadvise(2), POSIX_FADV_DONTNEED).
	/// Nothing to do without a page cache.
	virtual result<void> forget_cached(std::uint64_t offset_bytes, std::uint64_t length_bytes);
};

enum class device_access : std::uint8_t { read_only, read_write };

/// Whether transfers bypass the page cache.
enum class direct_io_mode : std::uint8_t {
	automatic, ///< on block devices that can, not on regular files
	on,        ///< wherever the device or file system can
	off,
};

/// Opens handles on one claimed device. A claim is what keeps others away: it holds the exclusive handle
/// (O_EXCL on block devices, an advisory lock on files) as long as it lives. Thread-safe.
class device_claim
{
public:
	/// @p flushes of the device, which other claims may share; null: it has nobody else's.
	explicit device_claim(std::shared_ptr<flush_history> flushes = nullptr)
		: m_flushes(flushes ? std::move(flushes) : std::make_shared<flush_history>())
	{
	}
	virtual ~device_claim() = default;
	virtual std::string const &path() const = 0;
	virtual device_access access() const = 0;
	virtual device_geometry const &geometry() const = 0;
	/// What the device or file is on, as far as speed goes.
	virtual disk_identity const &disk() const = 0;
	/// A new handle for one thread.
	virtual result<std::unique_ptr<block_device>> open_handle() = 0;
	/// Through which all flushes of its handles go.
	flush_history &flushes() const { return *m_flushes; }

private:
	std::shared_ptr<flush_history> m_flushes;
};

} // namespace ezio
