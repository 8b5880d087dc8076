#include "ctl/create/local_files.hpp"

#include "actors/core/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ezio
{
namespace
{

constexpr mode_t torrent_mode = 0644;

std::string directory_of(std::string const &path)
{
	auto const directory = std::filesystem::path(path).parent_path().string();
	return directory.empty() ? "." : directory;
}

result<void> write_all(int fd, std::string const &path, std::string const &content)
{
	std::size_t done = 0;
	while (done < content.size()) {
		auto const wrote = ::write(fd, content.data() + done, content.size() - done);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return make_io_error("write", path, done, content.size() - done, wrote < 0 ? errno : ENOSPC);
		done += static_cast<std::size_t>(wrote);
	}
	return {};
}

result<void> write_and_rename(
	int fd, std::string const &temporary, std::string const &path, std::string const &content)
{
	if (auto const written = write_all(fd, path, content); !written)
		return written;
	// umask(2) can only be read by setting it, which no other thread does here.
	auto const mask = ::umask(0);
	::umask(mask);
	if (::fchmod(fd, torrent_mode & ~mask) != 0)
		return make_path_error("fchmod", path, errno);
	if (::fsync(fd) != 0)
		return make_path_error("fsync", path, errno);
	if (::rename(temporary.c_str(), path.c_str()) != 0)
		return make_path_error("rename", path, errno);
	return {};
}

} // namespace

result<std::string> read_beginning(std::string const &path, std::size_t bytes_max)
{
	unique_fd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	if (!fd)
		return make_path_error("open", path, errno);
	std::string content;
	constexpr std::size_t chunk_max = 1024 * 1024;
	for (;;) {
		auto const have = content.size();
		content.resize(have + std::min(bytes_max - have, chunk_max));
		auto const got = ::read(fd.number(), content.data() + have, content.size() - have);
		auto const failed = errno;
		content.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
		if (got < 0 && failed != EINTR)
			return make_io_error("read", path, have, bytes_max - have, failed);
		if (got == 0 || content.size() == bytes_max)
			return content;
	}
}

result<std::string> read_small_file(std::string const &path, std::size_t bytes_max)
{
	auto content = read_beginning(path, bytes_max + 1);
	if (content && content->size() > bytes_max)
		return make_error(
			errc::out_of_range, path + " is larger than " + std::to_string(bytes_max) + " bytes");
	return content;
}

result<void> check_output(std::string const &path)
{
	if (path.empty())
		return make_error(errc::invalid_argument, "the output needs a name");
	struct stat status = {};
	if (::stat(path.c_str(), &status) == 0) {
		if (!S_ISREG(status.st_mode))
			return make_error(errc::invalid_argument, path + " exists and is not a regular file");
	} else if (errno != ENOENT) {
		return make_path_error("stat", path, errno);
	}
	auto const directory = directory_of(path);
	if (::access(directory.c_str(), W_OK | X_OK) != 0)
		return make_path_error("write to", directory, errno);
	return {};
}

result<void> write_atomically(std::string const &path, std::string const &content)
{
	auto temporary = path + ".XXXXXX";
	{
		unique_fd const fd(::mkostemp(temporary.data(), O_CLOEXEC));
		if (!fd)
			return make_path_error("create", temporary, errno);
		if (auto const done = write_and_rename(fd.number(), temporary, path, content); !done) {
			// The first failure is the one to tell; a leftover is named by it too.
			(void)::unlink(temporary.c_str());
			return done;
		}
	}
	unique_fd const directory(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!directory || (::fsync(directory.number()) != 0 && errno != EINVAL))
		return make_path_error("fsync directory of", path, errno);
	return {};
}

result<temporary_directory> temporary_directory::make()
{
	auto const *base = std::getenv("TMPDIR");
	std::string path = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/ezioctl-XXXXXX";
	if (::mkdtemp(path.data()) == nullptr)
		return make_path_error("mkdtemp", path, errno);
	return temporary_directory(std::move(path));
}

temporary_directory::~temporary_directory()
{
	if (m_path.empty())
		return;
	std::error_code ignored; // nothing can be done about a temporary directory that stays
	std::filesystem::remove_all(m_path, ignored);
}

} // namespace ezio
