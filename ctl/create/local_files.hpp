#pragma once

#include "actors/core/result.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace ezio
{

/// The content of a file of at most @p bytes_max bytes; errc::out_of_range if it is larger.
result<std::string> read_small_file(std::string const &path, std::size_t bytes_max);

/// The first bytes of a file: at most @p bytes_max.
result<std::string> read_beginning(std::string const &path, std::size_t bytes_max);

/// Fails if write_atomically could not work: the directory is missing or not writable, or something other
/// than a regular file has that name. Asked before hours of work.
result<void> check_output(std::string const &path);

/// Replaces a file as a whole: written under another name, flushed, renamed, and the directory flushed. On
/// failure the old file is untouched and no new one is left.
result<void> write_atomically(std::string const &path, std::string const &content);

/// A directory of our own that goes, with its content, when the object does.
class temporary_directory
{
public:
	static result<temporary_directory> make();
	temporary_directory(temporary_directory &&other) noexcept : m_path(std::exchange(other.m_path, {})) {}
	temporary_directory &operator=(temporary_directory &&) = delete;
	~temporary_directory();
	std::string const &path() const { return m_path; }

private:
	explicit temporary_directory(std::string path) : m_path(std::move(path)) {}
	std::string m_path;
};

} // namespace ezio
