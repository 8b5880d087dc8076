#pragma once

#include "actors/core/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace ezio::test
{

/// A directory of its own, removed with all it holds.
class temporary_directory
{
public:
	/// Below @p parent (tmpfs by default). Throws std::runtime_error if it cannot be made.
	explicit temporary_directory(std::string const &parent = "/dev/shm");
	~temporary_directory();
	temporary_directory(temporary_directory const &) = delete;
	temporary_directory &operator=(temporary_directory const &) = delete;

	std::string const &path() const { return m_path; }
	std::string file(std::string const &name) const { return m_path + "/" + name; }

private:
	std::string m_path;
};

/// Makes a sparse file of @p size_bytes. Throws std::runtime_error.
void make_sparse_file(std::string const &path, std::uint64_t size_bytes);

struct loop_options {
	std::uint32_t sector_bytes = 512;
	bool is_read_only = false;
	bool has_partitions = false;    ///< add_partition may be used
	std::uint64_t offset_bytes = 0; ///< where in the file the device begins
};

/// A loop device over an existing file; detached on destruction.
class loop_device
{
public:
	/// Null, with the reason in @p why, where this process may not make loop devices: the test is to be
	/// skipped. Throws std::runtime_error on any other failure.
	static std::unique_ptr<loop_device> make(
		std::string const &backing_file, std::string &why, loop_options const &options = {});
	~loop_device();
	loop_device(loop_device const &) = delete;
	loop_device &operator=(loop_device const &) = delete;

	std::string const &path() const { return m_path; } ///< "/dev/loop7"
	/// Makes a partition, without a table, as long as the device is attached; its path. Throws
	/// std::runtime_error.
	std::string add_partition(int number, std::uint64_t offset_bytes, std::uint64_t length_bytes);

private:
	loop_device(std::string path, unique_fd fd) : m_path(std::move(path)), m_fd(std::move(fd)) {}

	std::string m_path;
	unique_fd m_fd;
};

} // namespace ezio::test
