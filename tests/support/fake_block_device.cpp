#include "tests/support/fake_block_device.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ezio::test
{
namespace
{

template <class Buffer>
std::uint64_t total_bytes(std::span<Buffer const> buffers)
{
	std::uint64_t bytes = 0;
	for (auto const &buffer : buffers)
		bytes += buffer.size_bytes;
	return bytes;
}

template <class Transfer, class Call>
void perform_queued(std::span<Transfer> batch, std::chrono::nanoseconds took, Call const &call)
{
	bool has_failed = false;
	for (auto it = batch.rbegin(); it != batch.rend(); ++it) {
		if (has_failed && it + 1 == batch.rend())
			it->outcome = make_error(errc::aborted, "left out by the fake device");
		else
			it->outcome = call(*it);
		it->took = took;
		has_failed = has_failed || !it->outcome;
	}
}

} // namespace

std::byte pristine_byte(std::uint64_t offset_bytes)
{
	auto x = (offset_bytes + 1) * 0x9e3779b97f4a7c15u;
	x ^= x >> 32;
	return static_cast<std::byte>(x & 0xff);
}

fake_disk::fake_disk(std::string path, std::uint64_t size_bytes, std::shared_ptr<fault_plan> faults)
	: m_path(std::move(path)), m_faults(std::move(faults)), m_content(size_bytes)
{
	m_geometry.size_bytes = size_bytes;
	m_geometry.logical_sector_bytes = 512;
	m_geometry.is_block_device = true;
	for (std::uint64_t i = 0; i < size_bytes; ++i)
		m_content[i] = pristine_byte(i);
	m_durable = m_content;
}

std::vector<std::byte> fake_disk::bytes(std::uint64_t offset_bytes, std::uint64_t length_bytes) const
{
	std::lock_guard const lock(m_mutex);
	auto const first = m_content.begin() + static_cast<std::ptrdiff_t>(offset_bytes);
	return {first, first + static_cast<std::ptrdiff_t>(length_bytes)};
}

void fake_disk::put(std::uint64_t offset_bytes, std::vector<std::byte> const &bytes)
{
	std::lock_guard const lock(m_mutex);
	auto const at = static_cast<std::ptrdiff_t>(offset_bytes);
	std::copy(bytes.begin(), bytes.end(), m_content.begin() + at);
	std::copy(bytes.begin(), bytes.end(), m_durable.begin() + at);
}

void fake_disk::cut_power()
{
	std::lock_guard const lock(m_mutex);
	m_content = m_durable;
	for (auto const &write : m_unsynced) {
		// Nothing, all or a part of each write made it, in no order: the last one wins as on a real disk.
		auto const kept = m_faults->pick(3) == 0 ? 0 : m_faults->pick(write.bytes.size() + 1);
		std::copy_n(write.bytes.begin(), static_cast<std::ptrdiff_t>(kept),
			m_content.begin() + static_cast<std::ptrdiff_t>(write.offset_bytes));
	}
	m_unsynced.clear();
	m_durable = m_content;
}

std::vector<fake_disk::transfer> fake_disk::operations() const
{
	std::lock_guard const lock(m_mutex);
	return m_operations;
}

void fake_disk::forget_operations()
{
	std::lock_guard const lock(m_mutex);
	m_operations.clear();
}

std::uint32_t fake_disk::open_handles() const
{
	std::lock_guard const lock(m_mutex);
	return m_open_handles;
}

result<void> fake_disk::open()
{
	if (auto const f = m_faults->next(device_call::open)) {
		auto e = make_error(errc::io_error, fault_mark);
		e.operation = "open";
		e.device = m_path;
		e.os_errno = f->os_errno;
		return e;
	}
	std::lock_guard const lock(m_mutex);
	++m_open_handles;
	return {};
}

void fake_disk::close()
{
	std::lock_guard const lock(m_mutex);
	--m_open_handles;
}

error fake_disk::injected(
	char const *operation, std::uint64_t offset_bytes, std::uint64_t length_bytes, int os_errno) const
{
	auto e = make_io_error(operation, m_path, offset_bytes, length_bytes, os_errno);
	e.message = fault_mark;
	return e;
}

result<void> fake_disk::read(std::span<read_buffer const> buffers, std::uint64_t offset_bytes)
{
	auto const length = total_bytes(buffers);
	auto const f = m_faults->next(device_call::read);
	std::lock_guard const lock(m_mutex);
	m_operations.push_back({device_call::read, offset_bytes, length, buffers.size()});
	if (f && (f->what == fault::kind::fail || f->what == fault::kind::torn))
		return injected("preadv", offset_bytes, length, f->os_errno);
	if (f && f->what == fault::kind::end)
		return injected("preadv", offset_bytes, length, 0);
	if (offset_bytes > m_content.size() || length > m_content.size() - offset_bytes)
		return make_io_error("preadv", m_path, offset_bytes, length, 0);
	auto at = offset_bytes;
	for (auto const &buffer : buffers) {
		std::memcpy(buffer.data, m_content.data() + at, buffer.size_bytes);
		at += buffer.size_bytes;
	}
	if (f && f->what == fault::kind::flip_bit && length > 0)
		buffers.front().data[0] ^= std::byte{1};
	return {};
}

result<void> fake_disk::write(std::span<write_buffer const> buffers, std::uint64_t offset_bytes)
{
	auto const length = total_bytes(buffers);
	auto const f = m_faults->next(device_call::write);
	std::lock_guard const lock(m_mutex);
	m_operations.push_back({device_call::write, offset_bytes, length, buffers.size()});
	if (f && f->what == fault::kind::fail)
		return injected("pwritev", offset_bytes, length, f->os_errno);
	if (offset_bytes > m_content.size() || length > m_content.size() - offset_bytes)
		return make_io_error("pwritev", m_path, offset_bytes, length, ENOSPC);

	if (f && f->what == fault::kind::lose)
		return {};
	unsynced_write written{offset_bytes, {}};
	for (auto const &buffer : buffers)
		written.bytes.insert(written.bytes.end(), buffer.data, buffer.data + buffer.size_bytes);
	if (f && f->what == fault::kind::flip_bit && length > 0)
		written.bytes[m_faults->pick(length)] ^= std::byte{1};
	if (f && f->what != fault::kind::flip_bit)
		written.bytes.resize(std::min<std::size_t>(written.bytes.size(), f->bytes));
	std::copy(written.bytes.begin(), written.bytes.end(),
		m_content.begin() + static_cast<std::ptrdiff_t>(offset_bytes));
	m_unsynced.push_back(std::move(written));
	if (f && f->what == fault::kind::torn)
		return injected("pwritev", offset_bytes, length, f->os_errno);
	if (f && f->what == fault::kind::end)
		return injected("pwritev", offset_bytes, length, 0);
	return {};
}

result<void> fake_disk::flush()
{
	auto const f = m_faults->next(device_call::flush);
	std::lock_guard const lock(m_mutex);
	m_operations.push_back({device_call::flush, 0, 0, 0});
	if (f && f->what != fault::kind::lose && f->what != fault::kind::flip_bit) {
		auto e = make_error(errc::io_error, fault_mark);
		e.operation = "fdatasync";
		e.device = m_path;
		e.os_errno = f->os_errno;
		// As a kernel: it reports once, forgets what it could not write and says OK next time.
		m_unsynced.clear();
		return e;
	}
	for (auto const &write : m_unsynced)
		std::copy(write.bytes.begin(), write.bytes.end(),
			m_durable.begin() + static_cast<std::ptrdiff_t>(write.offset_bytes));
	m_unsynced.clear();
	return {};
}

void fake_block_device::read_batch(std::span<device_read> batch)
{
	if (m_queue_depth == 1)
		return block_device::read_batch(batch);
	perform_queued(batch, m_disk->took(),
		[this](device_read const &read) { return read_at(read.buffers, read.offset_bytes); });
}

void fake_block_device::write_batch(std::span<device_write> batch)
{
	if (m_queue_depth == 1)
		return block_device::write_batch(batch);
	perform_queued(batch, m_disk->took(),
		[this](device_write const &write) { return write_at(write.buffers, write.offset_bytes); });
}

result<std::unique_ptr<block_device>> fake_device_claim::open_handle()
{
	auto opened = m_disk->open();
	if (!opened)
		return opened.failure();
	return std::unique_ptr<block_device>(std::make_unique<fake_block_device>(m_disk));
}

} // namespace ezio::test
