#pragma once

#include <unistd.h>

#include <utility>

namespace ezio
{

/// Owns one file descriptor.
class unique_fd
{
public:
	unique_fd() = default;
	explicit unique_fd(int fd) : m_fd(fd) {}
	unique_fd(unique_fd &&other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
	unique_fd &operator=(unique_fd &&other) noexcept
	{
		std::swap(m_fd, other.m_fd);
		return *this;
	}
	~unique_fd()
	{
		if (m_fd >= 0)
			::close(m_fd);
	}
	explicit operator bool() const { return m_fd >= 0; }
	int value() const { return m_fd; }

private:
	int m_fd = -1;
};

} // namespace ezio
