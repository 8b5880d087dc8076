#include "ctl/key_files.hpp"

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ezio::ctl
{

namespace
{

error file_error(char const *operation, std::string const &path, int os_errno)
{
	auto e = make_error(os_errno == EEXIST ? errc::already_exists : errc::io_error,
		os_errno == EEXIST ? "it is left as it is" : "");
	e.operation = operation;
	e.device = path;
	e.os_errno = os_errno;
	return e;
}

/// A file that is being made: closed on every path, removed unless kept.
class new_file
{
public:
	static result<new_file> create(std::string const &path, ::mode_t mode)
	{
		auto const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd < 0)
			return file_error("create", path, errno);
		new_file file(fd, path);
		// The umask may have taken bits away, or left what a directory's default ACL adds.
		if (::fchmod(fd, mode) != 0)
			return file_error("fchmod", path, errno);
		return file;
	}
	new_file(new_file &&other) noexcept
		: m_fd(std::exchange(other.m_fd, -1)), m_path(std::exchange(other.m_path, {}))
	{
	}
	new_file &operator=(new_file &&) = delete;
	~new_file()
	{
		if (m_fd >= 0)
			::close(m_fd);
		if (!m_path.empty())
			::unlink(m_path.c_str());
	}

	result<void> write(std::string const &text)
	{
		for (std::size_t done = 0; done < text.size();) {
			auto const put = ::write(m_fd, text.data() + done, text.size() - done);
			if (put < 0 && errno == EINTR)
				continue;
			if (put <= 0)
				return file_error("write", m_path, put < 0 ? errno : ENOSPC);
			done += static_cast<std::size_t>(put);
		}
		if (::fsync(m_fd) != 0)
			return file_error("fsync", m_path, errno);
		if (::close(std::exchange(m_fd, -1)) != 0)
			return file_error("close", m_path, errno);
		return {};
	}
	void keep() { m_path.clear(); }

private:
	new_file(int fd, std::string path) : m_fd(fd), m_path(std::move(path)) {}
	int m_fd;
	std::string m_path; ///< empty: kept
};

result<void> sync_directory_of(std::string const &path)
{
	auto const slash = path.rfind('/');
	auto const directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
	auto const fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_error("open", directory, errno);
	auto const synced =
		::fsync(fd) == 0 ? result<void>() : result<void>(file_error("fsync", directory, errno));
	// Nothing was written through this descriptor.
	::close(fd);
	return synced;
}

} // namespace

result<void> write_key_files(std::string const &base, key_pair const &keys)
{
	auto secret = new_file::create(base + ".key", 0600);
	if (!secret)
		return secret.failure();
	auto open_one = new_file::create(base + ".pub", 0644);
	if (!open_one)
		return open_one.failure();
	if (auto const done = secret->write("# secret CURVE key: keep it to yourself\n" + keys.secret_key + "\n");
		!done)
		return done;
	if (auto const done = open_one->write("# public CURVE key\n" + keys.public_key + "\n"); !done)
		return done;
	if (auto const done = sync_directory_of(base); !done)
		return done;
	secret->keep();
	open_one->keep();
	return {};
}

std::string authorized_line(std::string const &public_key, std::string const &role, std::string const &name)
{
	return public_key + " " + role + " " + name;
}

} // namespace ezio::ctl
