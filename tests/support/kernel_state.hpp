#pragma once

#include <memory>
#include <string>

namespace ezio::test
{

/// A mount, undone on destruction.
class scoped_mount
{
public:
	/// mount(2). Null, with the reason in @p why, if it is not permitted or the file system is unknown;
	/// throws std::runtime_error on any other failure.
	static std::unique_ptr<scoped_mount> make(std::string const &source, std::string const &directory,
		std::string const &type, std::string const &options, std::string &why);
	~scoped_mount();
	scoped_mount(scoped_mount const &) = delete;
	scoped_mount &operator=(scoped_mount const &) = delete;

private:
	explicit scoped_mount(std::string directory) : m_directory(std::move(directory)) {}

	std::string m_directory;
};

/// A swap area in use, given back on destruction. As scoped_mount.
class scoped_swap
{
public:
	static std::unique_ptr<scoped_swap> make(std::string const &path, std::string &why);
	~scoped_swap();
	scoped_swap(scoped_swap const &) = delete;
	scoped_swap &operator=(scoped_swap const &) = delete;

private:
	explicit scoped_swap(std::string path) : m_path(std::move(path)) {}

	std::string m_path;
};

/// Runs a program found in PATH or the sbin directories, without output. True if it exits with 0.
bool run_program(std::string const &command_line);

} // namespace ezio::test
