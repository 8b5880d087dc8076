#include "ctl/wire/curve_key.hpp"

#include "ctl/wire/z85.hpp"

#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ezio::wire
{
namespace
{

/// An open file, closed on every path. Nothing is written through it, so close(2) has nothing to tell.
class open_file
{
public:
	explicit open_file(int fd) : m_fd(fd) {}
	~open_file()
	{
		if (m_fd >= 0)
			::close(m_fd);
	}
	open_file(open_file const &) = delete;
	open_file &operator=(open_file const &) = delete;
	int number() const { return m_fd; }

private:
	int m_fd;
};

error refused(std::string const &path, std::string_view why)
{
	return make_error(errc::denied, path + " is not used: " + std::string(why));
}

std::string_view trimmed(std::string_view line)
{
	constexpr std::string_view blank = " \t\r";
	auto const begin = line.find_first_not_of(blank);
	if (begin == std::string_view::npos)
		return {};
	return line.substr(begin, line.find_last_not_of(blank) - begin + 1);
}

} // namespace

bool is_curve_key(std::string_view text)
{
	return text.size() == curve_key_chars && z85_decode(text);
}

result<std::string> parse_key_file(std::string_view text, std::string const &path)
{
	std::optional<std::string> key;
	while (!text.empty()) {
		auto const end = text.find('\n');
		auto const line = trimmed(text.substr(0, end));
		text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
		if (line.empty() || line.front() == '#')
			continue;
		// What is wrong with it is not shown: it may be a secret.
		if (!is_curve_key(line))
			return make_error(
				errc::invalid_argument, path + ": a line is no key (40 characters of Z85) and no comment");
		if (key)
			return make_error(errc::invalid_argument, path + " holds more than one key");
		key = line;
	}
	if (!key)
		return make_error(errc::invalid_argument, path + " holds no key");
	return *std::move(key);
}

result<std::string> read_guarded_file(
	std::string const &path, std::size_t bytes_max, unsigned forbidden_mode, std::string_view danger)
{
	open_file const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
	if (file.number() < 0)
		return make_path_error("open", path, errno);
	struct stat status = {};
	if (::fstat(file.number(), &status) != 0)
		return make_path_error("fstat", path, errno);
	if (!S_ISREG(status.st_mode))
		return refused(path, "it is no regular file");
	if ((status.st_mode & forbidden_mode) != 0)
		return refused(path, danger);
	if (status.st_uid != 0 && status.st_uid != ::geteuid())
		return refused(path, "it belongs to another user");
	std::string text(bytes_max + 1, '\0');
	std::size_t have = 0;
	while (have < text.size()) {
		auto const got = ::read(file.number(), text.data() + have, text.size() - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return make_io_error("read", path, have, text.size() - have, errno);
		if (got == 0)
			break;
		have += static_cast<std::size_t>(got);
	}
	if (have > bytes_max)
		return refused(path, "it is larger than " + std::to_string(bytes_max) + " bytes");
	text.resize(have);
	return text;
}

result<std::string> read_key_file(std::string const &path, key_kind kind)
{
	auto const text = kind == key_kind::secret
		? read_guarded_file(
			  path, key_file_bytes_max, 037, "others than its owner can use this secret key; chmod 600 helps")
		: read_guarded_file(path, key_file_bytes_max, 002, "everybody may write it; chmod 644 helps");
	if (!text)
		return text.failure();
	return parse_key_file(*text, path);
}

} // namespace ezio::wire
