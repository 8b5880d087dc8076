#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/io_engine.hpp"
#include "actors/core/unique_fd.hpp"

#include <memory>
#include <string>
#include <utility>

namespace ezio
{

/// An advisory lock on an image file that the claims of this process share: readers together hold it shared,
/// a writer makes it exclusive. Released when the last claim is gone.
class file_lock
{
public:
	/// Takes the lock through @p fd, which must be a file description of its own. Fails with
	/// errc::target_refused (excl-busy) if another process is in the way.
	static result<std::shared_ptr<file_lock>> take(
		unique_fd fd, std::string const &path, device_access access);
	/// Makes a shared lock exclusive.
	result<void> upgrade(std::string const &path);

private:
	explicit file_lock(unique_fd fd) : m_fd(std::move(fd)) {}

	unique_fd m_fd;
	bool m_is_exclusive = false; ///< guarded by the registry
};

/// A claim on a real device or file. It keeps the descriptor that was checked: handles are opened through it,
/// so they are of the same device even if its path means another one by then.
class posix_device_claim final : public device_claim
{
public:
	/// @p fd is open for @p access (and with O_EXCL on a block device that is written). @p engines, @p
	/// lock and @p flushes may be null.
	static result<std::shared_ptr<posix_device_claim>> make(std::string path, device_access access,
		direct_io_mode direct, std::shared_ptr<io_engine_choice> engines, unique_fd fd,
		std::shared_ptr<file_lock> lock, disk_identity disk, std::shared_ptr<flush_history> flushes);

	std::string const &path() const override { return m_path; }
	device_access access() const override { return m_access; }
	device_geometry const &geometry() const override { return m_geometry; }
	disk_identity const &disk() const override { return m_disk; }
	result<std::unique_ptr<block_device>> open_handle() override;

	std::shared_ptr<file_lock> const &lock() const { return m_lock; }

private:
	posix_device_claim(std::string path, device_access access, direct_io_mode direct,
		std::shared_ptr<io_engine_choice> engines, unique_fd fd, std::shared_ptr<file_lock> lock,
		disk_identity disk, std::shared_ptr<flush_history> flushes);

	std::string m_path;
	device_access m_access;
	direct_io_mode m_direct;
	std::shared_ptr<io_engine_choice> m_engines;
	unique_fd m_fd;
	std::shared_ptr<file_lock> m_lock;
	disk_identity m_disk;
	device_geometry m_geometry;
};

} // namespace ezio
