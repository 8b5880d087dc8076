#include "tests/support/loop_device.hpp"

#include "actors/core/error.hpp"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace ezio::test
{
namespace
{

[[noreturn]] void fail(std::string const &what, int os_errno)
{
	throw std::runtime_error(what + ": " + errno_name(os_errno));
}

bool is_lack_of_privilege(int os_errno)
{
	return os_errno == EPERM || os_errno == EACCES || os_errno == ENOENT || os_errno == ENXIO;
}

} // namespace

temporary_directory::temporary_directory(std::string const &parent) : m_path(parent + "/ezio-test-XXXXXX")
{
	if (::mkdtemp(m_path.data()) == nullptr)
		fail("mkdtemp " + m_path, errno);
}

temporary_directory::~temporary_directory()
{
	std::error_code ec;
	std::filesystem::remove_all(m_path, ec);
	if (ec)
		std::cerr << "cannot remove " << m_path << ": " << ec.message() << '\n';
}

void make_sparse_file(std::string const &path, std::uint64_t size_bytes)
{
	unique_fd const fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (!fd)
		fail("open " + path, errno);
	if (::ftruncate(fd.number(), static_cast<off_t>(size_bytes)) != 0)
		fail("ftruncate " + path, errno);
}

std::unique_ptr<loop_device> loop_device::make(
	std::string const &backing_file, std::string &why, loop_options const &options)
{
	unique_fd const control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	if (!control) {
		if (!is_lack_of_privilege(errno))
			fail("open /dev/loop-control", errno);
		why = "no access to /dev/loop-control: " + errno_name(errno);
		return nullptr;
	}
	auto const access = options.is_read_only ? O_RDONLY : O_RDWR;
	unique_fd const backing(::open(backing_file.c_str(), access | O_CLOEXEC));
	if (!backing)
		fail("open " + backing_file, errno);
	// Another process can take the free device before we configure it: then the next one.
	for (int attempt = 0; attempt < 100; ++attempt) {
		auto const number = ::ioctl(control.number(), LOOP_CTL_GET_FREE);
		if (number < 0) {
			if (!is_lack_of_privilege(errno))
				fail("LOOP_CTL_GET_FREE", errno);
			why = "no free loop device: " + errno_name(errno);
			return nullptr;
		}
		auto path = "/dev/loop" + std::to_string(number);
		unique_fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
		if (!fd) {
			if (!is_lack_of_privilege(errno))
				fail("open " + path, errno);
			why = "no access to " + path + ": " + errno_name(errno);
			return nullptr;
		}
		loop_config config{};
		config.fd = static_cast<unsigned>(backing.number());
		config.block_size = options.sector_bytes;
		config.info.lo_offset = options.offset_bytes;
		if (options.is_read_only)
			config.info.lo_flags |= LO_FLAGS_READ_ONLY;
		if (options.has_partitions)
			config.info.lo_flags |= LO_FLAGS_PARTSCAN;
		if (::ioctl(fd.number(), LOOP_CONFIGURE, &config) == 0)
			return std::unique_ptr<loop_device>(new loop_device(std::move(path), std::move(fd)));
		if (errno != EBUSY)
			fail("LOOP_CONFIGURE " + path, errno);
	}
	fail("LOOP_CONFIGURE", EBUSY);
}

std::string loop_device::add_partition(int number, std::uint64_t offset_bytes, std::uint64_t length_bytes)
{
	blkpg_partition partition{};
	partition.start = static_cast<long long>(offset_bytes);
	partition.length = static_cast<long long>(length_bytes);
	partition.pno = number;
	blkpg_ioctl_arg request{};
	request.op = BLKPG_ADD_PARTITION;
	request.datalen = sizeof partition;
	request.data = &partition;
	if (::ioctl(m_fd.number(), BLKPG, &request) != 0)
		fail("BLKPG_ADD_PARTITION " + m_path, errno);
	return m_path + "p" + std::to_string(number);
}

loop_device::~loop_device()
{
	if (::ioctl(m_fd.number(), LOOP_CLR_FD) != 0)
		std::cerr << "cannot detach " << m_path << ": " << errno_name(errno) << '\n';
}

} // namespace ezio::test
