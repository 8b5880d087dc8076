#include "tests/support/kernel_state.hpp"

#include "actors/core/error.hpp"

#include <sys/mount.h>
#include <sys/swap.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <stdexcept>

namespace ezio::test
{
namespace
{

bool is_unavailable(int os_errno)
{
	return os_errno == EPERM || os_errno == EACCES || os_errno == ENODEV || os_errno == ENOSYS;
}

} // namespace

std::unique_ptr<scoped_mount> scoped_mount::make(std::string const &source, std::string const &directory,
	std::string const &type, std::string const &options, std::string &why)
{
	if (::mount(source.c_str(), directory.c_str(), type.c_str(), 0, options.c_str()) != 0) {
		why = "mount " + type + ": " + errno_name(errno);
		if (!is_unavailable(errno))
			throw std::runtime_error(why);
		return nullptr;
	}
	return std::unique_ptr<scoped_mount>(new scoped_mount(directory));
}

scoped_mount::~scoped_mount()
{
	if (::umount2(m_directory.c_str(), MNT_DETACH) != 0)
		std::cerr << "cannot unmount " << m_directory << ": " << errno_name(errno) << '\n';
}

std::unique_ptr<scoped_swap> scoped_swap::make(std::string const &path, std::string &why)
{
	if (::swapon(path.c_str(), 0) != 0) {
		why = "swapon: " + errno_name(errno);
		if (!is_unavailable(errno))
			throw std::runtime_error(why);
		return nullptr;
	}
	return std::unique_ptr<scoped_swap>(new scoped_swap(path));
}

scoped_swap::~scoped_swap()
{
	if (::swapoff(m_path.c_str()) != 0)
		std::cerr << "cannot swapoff " << m_path << ": " << errno_name(errno) << '\n';
}

bool run_program(std::string const &command_line)
{
	return std::system(("PATH=$PATH:/usr/sbin:/sbin; " + command_line + " >/dev/null 2>&1").c_str()) == 0;
}

} // namespace ezio::test
