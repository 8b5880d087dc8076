#include "actors/core/file_replace.hpp"

#include "actors/core/unique_fd.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ezio
{
namespace
{

/// An open file that is closed, and removed unless kept, on every path.
class temporary_file
{
public:
	temporary_file(int fd, std::string path) : m_fd(fd), m_path(std::move(path)) {}
	~temporary_file()
	{
		if (!m_is_kept)
			::unlink(m_path.c_str());
	}
	temporary_file(temporary_file const &) = delete;
	temporary_file &operator=(temporary_file const &) = delete;

	result<void> write(std::string_view text) const
	{
		while (!text.empty()) {
			auto const put = ::write(m_fd.number(), text.data(), text.size());
			if (put < 0 && errno == EINTR)
				continue;
			if (put <= 0)
				return make_system_error("write", m_path, errno);
			text.remove_prefix(static_cast<std::size_t>(put));
		}
		return {};
	}

	result<void> take_on(struct stat const &old) const
	{
		// The owner first: changing it clears bits of the mode.
		struct stat own = {};
		if (::fstat(m_fd.number(), &own) != 0)
			return make_system_error("fstat", m_path, errno);
		auto const is_owner_other = own.st_uid != old.st_uid || own.st_gid != old.st_gid;
		if (is_owner_other && ::fchown(m_fd.number(), old.st_uid, old.st_gid) != 0)
			return make_system_error("fchown", m_path, errno);
		return set_mode(old.st_mode & 07777U);
	}

	result<void> set_mode(mode_t mode) const
	{
		if (::fchmod(m_fd.number(), mode) != 0)
			return make_system_error("fchmod", m_path, errno);
		return {};
	}

	result<void> sync() const
	{
		if (::fsync(m_fd.number()) != 0)
			return make_system_error("fsync", m_path, errno);
		return {};
	}

	result<void> rename_to(std::string const &path)
	{
		if (::rename(m_path.c_str(), path.c_str()) != 0)
			return make_system_error("rename", path, errno);
		m_is_kept = true;
		return {};
	}

private:
	unique_fd m_fd;
	std::string m_path;
	bool m_is_kept = false;
};

result<std::string> final_path(std::string const &path)
{
	std::unique_ptr<char, decltype(&std::free)> const resolved(::realpath(path.c_str(), nullptr), &std::free);
	if (resolved)
		return std::string(resolved.get());
	if (errno == ENOENT)
		return path;
	return make_system_error("realpath", path, errno);
}

std::string directory_of(std::string const &path)
{
	auto const slash = path.rfind('/');
	if (slash == std::string::npos)
		return ".";
	return slash == 0 ? "/" : path.substr(0, slash);
}

result<void> sync_directory(std::string const &directory)
{
	unique_fd const fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!fd)
		return make_system_error("open", directory, errno);
	if (::fsync(fd.number()) != 0)
		return make_system_error("fsync", directory, errno);
	return {};
}

} // namespace

result<void> remove_file(std::string const &path)
{
	if (::unlink(path.c_str()) != 0 && errno != ENOENT)
		return make_system_error("unlink", path, errno);
	return sync_directory(directory_of(path));
}

result<void> replace_file(std::string const &path, std::string_view text)
{
	constexpr mode_t new_file_mode = 0644;
	auto const target = final_path(path);
	if (!target)
		return target.failure();
	struct stat old = {};
	auto const is_new = ::stat(target->c_str(), &old) != 0;
	if (is_new && errno != ENOENT)
		return make_system_error("stat", *target, errno);
	if (!is_new && !S_ISREG(old.st_mode)) {
		errno = EINVAL;
		return make_system_error("replace", *target, errno);
	}

	auto name = *target + ".XXXXXX";
	auto const fd = ::mkostemp(name.data(), O_CLOEXEC);
	if (fd < 0)
		return make_system_error("mkostemp", name, errno);
	temporary_file file(fd, name);
	if (auto const done = file.write(text); !done)
		return done;
	if (auto const done = is_new ? file.set_mode(new_file_mode) : file.take_on(old); !done)
		return done;
	if (auto const done = file.sync(); !done)
		return done;
	if (auto const done = file.rename_to(*target); !done)
		return done;
	return sync_directory(directory_of(*target));
}

} // namespace ezio
