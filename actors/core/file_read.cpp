#include "actors/core/file_read.hpp"

#include "actors/core/error.hpp"
#include "actors/core/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ezio
{

result<std::string> read_file(std::string const &path, std::size_t bytes_max)
{
	unique_fd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	if (!fd)
		return make_io_error("open", path, 0, 0, errno);
	std::string text;
	std::array<char, 64 * 1024> buffer;
	for (;;) {
		auto const got = ::read(fd.number(), buffer.data(), buffer.size());
		if (got == 0)
			return text;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return make_io_error("read", path, text.size(), buffer.size(), errno);
		text.append(buffer.data(), static_cast<std::size_t>(got));
		if (text.size() > bytes_max)
			return make_error(
				errc::out_of_range, path + ": more than " + std::to_string(bytes_max) + " bytes");
	}
}

} // namespace ezio
