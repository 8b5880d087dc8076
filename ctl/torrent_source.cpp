#include "ctl/torrent_source.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ezio::ctl
{
namespace
{

error unusable(std::string const &path, std::string why)
{
	auto e = make_error(errc::invalid_torrent, std::move(why));
	e.device = path;
	return e;
}

result<std::string> read_all(int fd, std::string const &path, std::size_t bytes_max)
{
	struct stat status = {};
	if (::fstat(fd, &status) != 0)
		return make_path_error("fstat", path, errno);
	if (!S_ISREG(status.st_mode))
		return unusable(path, "not a regular file");
	std::string content(bytes_max + 1, '\0');
	std::size_t filled = 0;
	while (filled < content.size()) {
		auto const count = ::read(fd, content.data() + filled, content.size() - filled);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return make_path_error("read", path, errno);
		if (count == 0)
			break;
		filled += static_cast<std::size_t>(count);
	}
	if (filled > bytes_max)
		return unusable(path, "larger than " + std::to_string(bytes_max) + " bytes");
	if (filled == 0)
		return unusable(path, "the file is empty");
	content.resize(filled);
	return content;
}

} // namespace

result<std::string> read_torrent_file(std::string const &path, std::size_t bytes_max)
{
	// O_NONBLOCK: a pipe of that name must not hang the open.
	auto const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return make_path_error("open", path, errno);
	auto content = read_all(fd, path, bytes_max);
	::close(fd);
	return content;
}

} // namespace ezio::ctl
