#include "config/load.hpp"

#include "config/config_reader.hpp"
#include "config/toml_tree.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ezio
{
namespace
{

error read_error(char const *operation, std::string const &path)
{
	error e;
	e.code = errc::io_error;
	e.operation = operation;
	e.device = path;
	e.os_errno = errno;
	return e;
}

class descriptor
{
public:
	explicit descriptor(int fd) : m_fd(fd) {}
	~descriptor()
	{
		// Opened for reading: closing cannot lose anything.
		if (m_fd >= 0)
			::close(m_fd);
	}
	descriptor(descriptor const &) = delete;
	descriptor &operator=(descriptor const &) = delete;
	int get() const { return m_fd; }

private:
	int m_fd;
};

} // namespace

result<std::string> read_config_text(std::string const &path)
{
	// A FIFO without a writer would block the open for ever.
	descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	if (file.get() < 0)
		return read_error("open", path);
	struct stat info = {};
	if (::fstat(file.get(), &info) != 0)
		return read_error("fstat", path);
	if (S_ISDIR(info.st_mode)) {
		errno = EISDIR;
		return read_error("open", path);
	}
	std::string text;
	std::string buffer(std::size_t{64} * 1024, '\0');
	for (;;) {
		auto const got = ::read(file.get(), buffer.data(), buffer.size());
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return read_error("read", path);
		if (got == 0)
			return text;
		text.append(buffer, 0, static_cast<std::size_t>(got));
		if (text.size() > config_file_bytes_max) {
			errno = EFBIG;
			auto e = read_error("read", path);
			e.message = "more than " + std::to_string(config_file_bytes_max) + " bytes";
			return e;
		}
	}
}

std::string to_string(config_fault const &fault)
{
	auto text = fault.file;
	if (fault.line != 0)
		text += ":" + std::to_string(fault.line);
	text += ": ";
	if (!fault.key.empty())
		text += fault.key + ": ";
	text += fault.message;
	if (!fault.allowed.empty())
		text += " (allowed: " + fault.allowed + ")";
	return text;
}

error load_report::failure() const
{
	if (read_failure)
		return *read_failure;
	std::string text;
	for (auto const &fault : faults)
		text += (text.empty() ? "" : "\n") + to_string(fault);
	return make_error(errc::invalid_argument, text);
}

load_report load_config(std::string const &path, foreign_key_check const &foreign)
{
	auto const text = read_config_text(path);
	if (text)
		return parse_config(*text, path, foreign);
	load_report report;
	report.read_failure = text.failure();
	return report;
}

load_report parse_config(std::string_view toml, std::string const &name, foreign_key_check const &foreign)
{
	load_report report;
	if (toml.size() > config_file_bytes_max) {
		auto const limit = std::to_string(config_file_bytes_max);
		report.faults.push_back({name, 0, 0, {}, "it is longer than " + limit + " bytes", {}});
		return report;
	}
	auto const outcome = parse_toml(toml);
	if (outcome.fault) {
		auto const &fault = *outcome.fault;
		report.faults.push_back({name, fault.at.line, fault.at.column, {}, fault.message, {}});
	} else {
		read_config(outcome.root, name, foreign, report);
	}
	return report;
}

} // namespace ezio
