#include "actors/core/posix_device_claim.hpp"

#include "actors/core/posix_block_device.hpp"
#include "actors/core/target_rules.hpp"

#include <sys/file.h>

#include <cerrno>

namespace ezio
{
namespace
{

int flock_retrying(int fd, int operation)
{
	while (::flock(fd, operation | LOCK_NB) != 0) {
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

error lock_failure(std::string const &path, device_access access, int os_errno)
{
	if (os_errno != EWOULDBLOCK)
		return refuse_target("excl-busy", path,
			"the file system cannot lock the file: " + errno_name(os_errno),
			"--allow excl-busy goes without");
	return refuse_target("excl-busy", path,
		access == device_access::read_write ? "another program reads or writes the image file"
											: "another program writes the image file",
		"stop it, or --allow excl-busy");
}

} // namespace

result<std::shared_ptr<file_lock>> file_lock::take(
	unique_fd fd, std::string const &path, device_access access)
{
	bool const is_exclusive = access == device_access::read_write;
	auto const failure = flock_retrying(fd.number(), is_exclusive ? LOCK_EX : LOCK_SH);
	if (failure != 0)
		return lock_failure(path, access, failure);
	std::shared_ptr<file_lock> lock(new file_lock(std::move(fd)));
	lock->m_is_exclusive = is_exclusive;
	return lock;
}

result<void> file_lock::upgrade(std::string const &path)
{
	if (m_is_exclusive)
		return {};
	auto const failure = flock_retrying(m_fd.number(), LOCK_EX);
	if (failure == 0) {
		m_is_exclusive = true;
		return {};
	}
	// The kernel drops the shared lock before it tries for the exclusive one.
	auto const lost = flock_retrying(m_fd.number(), LOCK_SH);
	auto e = lock_failure(path, device_access::read_write, failure);
	if (lost != 0)
		e.message += "; the shared lock was lost: " + errno_name(lost);
	return e;
}

posix_device_claim::posix_device_claim(std::string path, device_access access, direct_io_mode direct,
	std::shared_ptr<io_engine_choice> engines, unique_fd fd, std::shared_ptr<file_lock> lock,
	disk_identity disk, std::shared_ptr<flush_history> flushes)
	: device_claim(std::move(flushes)), m_path(std::move(path)), m_access(access), m_direct(direct),
	  m_engines(std::move(engines)), m_fd(std::move(fd)), m_lock(std::move(lock)), m_disk(std::move(disk))
{
}

result<std::shared_ptr<posix_device_claim>> posix_device_claim::make(std::string path, device_access access,
	direct_io_mode direct, std::shared_ptr<io_engine_choice> engines, unique_fd fd,
	std::shared_ptr<file_lock> lock, disk_identity disk, std::shared_ptr<flush_history> flushes)
{
	std::shared_ptr<posix_device_claim> claim(new posix_device_claim(std::move(path), access, direct,
		std::move(engines), std::move(fd), std::move(lock), std::move(disk), std::move(flushes)));
	auto const handle = claim->open_handle();
	if (!handle)
		return handle.failure();
	claim->m_geometry = handle.value()->geometry();
	return claim;
}

result<std::unique_ptr<block_device>> posix_device_claim::open_handle()
{
	// A second O_EXCL open would find the claim itself in the way; a plain one does not.
	auto handle = posix_block_device::open(
		"/proc/self/fd/" + std::to_string(m_fd.number()), m_path, m_access, m_direct, m_engines);
	if (!handle)
		return handle.failure();
	return std::unique_ptr<block_device>(std::move(handle).value());
}

} // namespace ezio
