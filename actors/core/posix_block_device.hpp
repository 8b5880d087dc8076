#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/io_engine.hpp"
#include "actors/core/transfer_plan.hpp"
#include "actors/core/transfer_step.hpp"
#include "actors/core/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ezio
{

/// What the kernel says of an open device or file.
struct device_facts {
	device_geometry geometry; ///< is_direct is false: that is a property of a handle
	bool is_read_only =
		false; ///< the device is write-protected, or the file's file system is mounted read-only
	std::uint64_t device_number = 0; ///< block device: itself (st_rdev); regular file: what it is on (st_dev)
	std::uint64_t inode = 0;         ///< regular file only
};

/// Asks for size, sector size, write protection and identity of @p fd; not whether it rotates. Fails with
/// errc::invalid_argument if it is neither a block device nor a regular file. Any thread.
result<device_facts> read_device_facts(int fd, std::string const &path);

/// A block device or regular file behind preadv(2), pwritev(2) and fdatasync(2): at most two descriptors, a
/// buffered one and, where direct I/O works, one with O_DIRECT. transfer_plan.hpp says which carries what.
/// With a ring (io_engine.hpp) transfers of several parts go through that, all parts at once; a single call
/// gains nothing from it.
///
/// Buffers that direct I/O cannot take because of their address or length go through the page cache rather
/// than through a bounce buffer: our own blocks are page-aligned and extents lie on sectors, so they hardly
/// occur, and the page cache makes the same one copy without memory outside our budget.
class posix_block_device final : public block_device
{
public:
	/// Opens @p path, which may be /proc/self/fd/N; errors and path() name it as @p name. Never creates,
	/// truncates or takes exclusive access. Reads a page of the device to learn if direct I/O works; if it
	/// does not, the handle is buffered and buffered_reason() says why. Without @p engines every transfer
	/// blocks.
	static result<std::unique_ptr<posix_block_device>> open(std::string const &path, std::string name,
		device_access access, direct_io_mode direct = direct_io_mode::automatic,
		std::shared_ptr<io_engine_choice> engines = nullptr);

	device_geometry const &geometry() const override { return m_geometry; }
	std::string const &path() const override { return m_name; }
	/// Why no transfer bypasses the page cache; empty if geometry().is_direct.
	std::string const &buffered_reason() const { return m_buffered_reason; }

	/// A transfer beyond the end fails before any byte is moved: a read with errc::unexpected_end, a write
	/// with ENOSPC. A file that grew meanwhile has its new end.
	result<void> read_at(std::span<read_buffer const> buffers, std::uint64_t offset_bytes) override;
	result<void> write_at(std::span<write_buffer const> buffers, std::uint64_t offset_bytes) override;
	void read_batch(std::span<device_read> batch) override;
	void write_batch(std::span<device_write> batch) override;
	std::size_t queue_depth() const override { return m_ring ? m_ring->depth() : 1; }
	/// Does nothing if nothing was written since the last success. The first flush of a handle that may write
	/// always asks the device. A failure also drops what the page cache holds, so that later reads show what
	/// the medium has. A device or file that has become shorter has not kept what was written, and fails.
	result<void> flush() override;
	result<void> forget_cached(std::uint64_t offset_bytes, std::uint64_t length_bytes) override;

private:
	struct handle {
		unique_fd fd;
		bool is_dirty = false; ///< there may be something to flush
	};

	posix_block_device(std::string name, device_geometry const &geometry, unique_fd buffered);
	void open_direct(std::string const &path, int flags, direct_io_mode mode);
	void try_direct(std::string const &path, int flags);
	result<void> check_end(transfer_direction way, byte_range const &whole);
	result<void> check_not_shrunk() const;
	template <class Transfer>
	void perform_batch(transfer_direction way, std::span<Transfer> batch);
	result<void> plan_steps(transfer_direction way, byte_range const &whole, std::size_t transfer);
	void perform_steps();
	result<void> outcome_of(std::span<transfer_step const> steps, byte_range const &whole) const;

	std::string m_name;
	device_geometry m_geometry;
	handle m_buffered;
	handle m_direct; ///< without descriptor if direct I/O is not used
	direct_alignment m_alignment;
	std::string m_buffered_reason;
	std::optional<error> m_flush_failure;
	std::shared_ptr<io_engine_choice> m_engines;
	std::unique_ptr<io_ring> m_ring; ///< null: every transfer blocks
	// Of the batch under way; kept for their memory.
	std::vector<iovec> m_buffers; ///< of the transfer that is planned
	std::vector<iovec> m_clipped; ///< of the part that is planned
	std::vector<iovec> m_step_buffers;
	std::vector<std::size_t> m_step_buffer_counts;
	std::vector<transfer_step> m_steps;
};

} // namespace ezio
