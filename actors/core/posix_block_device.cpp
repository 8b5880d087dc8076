#include "actors/core/posix_block_device.hpp"

#include "actors/core/disk_identity.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

namespace ezio
{
namespace
{

static_assert(step_buffers_max <= IOV_MAX);

/// A ring's transfers are the same calls, only not waited for one by one.
char const *call_name(transfer_direction way)
{
	return way == transfer_direction::write ? "pwritev" : "preadv";
}

int open_retrying(std::string const &path, int flags)
{
	int fd = -1;
	do {
		fd = ::open(path.c_str(), flags | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

std::uint32_t page_cache_page_bytes()
{
	auto const reported = ::sysconf(_SC_PAGESIZE);
	return reported > 4096 ? static_cast<std::uint32_t>(reported) : 4096;
}

/// Reads one page with buffers no better aligned than @p alignment says; the errno, or 0.
int try_direct_read(int fd, direct_alignment const &alignment)
{
	struct free_memory {
		void operator()(void *memory) const { std::free(memory); }
	};
	auto const page = alignment.page_bytes;
	std::unique_ptr<void, free_memory> const memory(std::aligned_alloc(page, 2 * std::size_t{page}));
	if (!memory)
		return ENOMEM;
	auto *const base = static_cast<char *>(memory.get()) + alignment.memory_bytes % page;
	auto const first = alignment.sector_bytes < page ? alignment.sector_bytes : page;
	std::array<iovec, 2> const buffers{{{base, first}, {base + first, page - first}}};
	auto const count = first < page ? 2 : 1;
	for (;;) {
		if (::preadv(fd, buffers.data(), count, 0) >= 0)
			return 0;
		if (errno != EINTR)
			return errno;
	}
}

/// Is it the alignment, and not the medium, that made the test read fail?
bool is_alignment_refusal(int os_errno)
{
	return os_errno == EINVAL || os_errno == EOPNOTSUPP || os_errno == ENOMEM;
}

} // namespace

result<device_facts> read_device_facts(int fd, std::string const &path)
{
	struct stat status {
	};
	if (::fstat(fd, &status) != 0)
		return make_system_error("fstat", path, errno);
	device_facts facts;
	if (S_ISREG(status.st_mode)) {
		struct statvfs file_system {
		};
		if (::fstatvfs(fd, &file_system) != 0)
			return make_system_error("fstatvfs", path, errno);
		facts.geometry.size_bytes = static_cast<std::uint64_t>(status.st_size);
		facts.is_read_only = (file_system.f_flag & ST_RDONLY) != 0;
		facts.device_number = status.st_dev;
		facts.inode = status.st_ino;
		return facts;
	}
	if (!S_ISBLK(status.st_mode)) {
		auto e = make_error(errc::invalid_argument, "neither a block device nor a regular file");
		e.device = path;
		return e;
	}
	std::uint64_t size = 0;
	int sector = 0;
	int is_read_only = 0;
	if (::ioctl(fd, BLKGETSIZE64, &size) != 0)
		return make_system_error("BLKGETSIZE64", path, errno);
	if (::ioctl(fd, BLKSSZGET, &sector) != 0)
		return make_system_error("BLKSSZGET", path, errno);
	if (::ioctl(fd, BLKROGET, &is_read_only) != 0)
		return make_system_error("BLKROGET", path, errno);
	facts.geometry.size_bytes = size;
	facts.geometry.logical_sector_bytes = static_cast<std::uint32_t>(sector);
	facts.geometry.is_block_device = true;
	facts.is_read_only = is_read_only != 0;
	facts.device_number = status.st_rdev;
	return facts;
}

posix_block_device::posix_block_device(std::string name, device_geometry const &geometry, unique_fd buffered)
	: m_name(std::move(name)), m_geometry(geometry)
{
	m_buffered.fd = std::move(buffered);
}

result<std::unique_ptr<posix_block_device>> posix_block_device::open(std::string const &path,
	std::string name, device_access access, direct_io_mode direct, std::shared_ptr<io_engine_choice> engines)
{
	auto const flags = access == device_access::read_write ? O_RDWR : O_RDONLY;
	unique_fd fd(open_retrying(path, flags));
	if (!fd)
		return make_system_error("open", name, errno);
	auto facts = read_device_facts(fd.number(), name);
	if (!facts)
		return facts.failure();
	facts->geometry.is_rotational = is_rotating(facts->device_number);
	std::unique_ptr<posix_block_device> device(
		new posix_block_device(std::move(name), facts->geometry, std::move(fd)));
	// Others wrote before us: a handle that was closed meanwhile, or a program that ended. What they left in
	// caches is part of what our flush promises.
	device->m_buffered.is_dirty = access == device_access::read_write;
	device->open_direct(path, flags, direct);
	if (engines)
		device->m_ring = engines->ring_for(device->m_geometry);
	device->m_engines = std::move(engines);
	return device;
}

void posix_block_device::open_direct(std::string const &path, int flags, direct_io_mode mode)
{
	if (mode == direct_io_mode::off) {
		m_buffered_reason = "direct I/O is switched off";
		return;
	}
	if (mode == direct_io_mode::automatic && !m_geometry.is_block_device) {
		m_buffered_reason = "a regular file";
		return;
	}
	auto const page = page_cache_page_bytes();
	if (m_geometry.size_bytes < page) {
		m_buffered_reason = "smaller than a page";
		return;
	}
	try_direct(path, flags);
	m_geometry.direct_refusal = m_buffered_reason;
}

/// Whether it can be had, found out by reading; m_buffered_reason says why not.
void posix_block_device::try_direct(std::string const &path, int flags)
{
	auto const page = page_cache_page_bytes();
	unique_fd fd(open_retrying(path, flags | O_DIRECT));
	if (!fd) {
		m_buffered_reason = "open with O_DIRECT: " + errno_name(errno);
		return;
	}

	// Candidates, least demanding first: what the kernel declares, then one sector for everything, then one
	// page. None is believed before a read so aligned has passed.
	std::vector<direct_alignment> candidates;
	struct statx declared {
	};
	if (::statx(fd.number(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &declared) == 0 &&
		(declared.stx_mask & STATX_DIOALIGN) != 0) {
		if (declared.stx_dio_offset_align == 0) {
			m_buffered_reason = "the file system has no direct I/O here";
			return;
		}
		candidates.push_back({std::max(declared.stx_dio_mem_align, 1U),
			std::max(declared.stx_dio_offset_align, m_geometry.logical_sector_bytes), page});
	}
	if (m_geometry.is_block_device)
		candidates.push_back({m_geometry.logical_sector_bytes, m_geometry.logical_sector_bytes, page});
	candidates.push_back({page, page, page});

	int refusal = EINVAL;
	for (auto const &candidate : candidates) {
		if (candidate.memory_bytes > page || candidate.sector_bytes > page)
			continue;
		refusal = try_direct_read(fd.number(), candidate);
		// An unreadable first page is the medium's fault: alignment is judged before the medium is asked.
		if (is_alignment_refusal(refusal))
			continue;
		m_alignment = candidate;
		m_direct.fd = std::move(fd);
		m_geometry.is_direct = true;
		return;
	}
	m_buffered_reason = "test read with O_DIRECT: " + errno_name(refusal);
}

result<void> posix_block_device::read_at(std::span<read_buffer const> buffers, std::uint64_t offset_bytes)
{
	device_read one{buffers, offset_bytes, {}, {}};
	read_batch({&one, 1});
	return std::move(one.outcome);
}

result<void> posix_block_device::write_at(std::span<write_buffer const> buffers, std::uint64_t offset_bytes)
{
	device_write one{buffers, offset_bytes, {}, {}};
	write_batch({&one, 1});
	return std::move(one.outcome);
}

void posix_block_device::read_batch(std::span<device_read> batch)
{
	perform_batch(transfer_direction::read, batch);
}

void posix_block_device::write_batch(std::span<device_write> batch)
{
	perform_batch(transfer_direction::write, batch);
}

template <class Transfer>
void posix_block_device::perform_batch(transfer_direction way, std::span<Transfer> batch)
{
	auto const range_of = [](Transfer const &transfer) {
		byte_range whole{transfer.offset_bytes, 0};
		for (auto const &buffer : transfer.buffers)
			whole.length_bytes += buffer.size_bytes;
		return whole;
	};
	m_steps.clear();
	m_step_buffers.clear();
	m_step_buffer_counts.clear();
	std::size_t planned = 0;
	for (bool is_good = true; is_good && planned < batch.size(); planned += is_good ? 1 : 0) {
		auto &transfer = batch[planned];
		m_buffers.clear();
		// iovec has no const form; pwritev only reads.
		for (auto const &buffer : transfer.buffers)
			m_buffers.push_back({const_cast<std::byte *>(buffer.data), buffer.size_bytes});
		transfer.outcome = plan_steps(way, range_of(transfer), planned);
		is_good = transfer.outcome.has_value();
	}
	perform_steps();
	std::span<transfer_step const> rest(m_steps);
	for (std::size_t i = 0; i < planned; ++i) {
		auto const is_own = [i](transfer_step const &step) { return step.transfer == i; };
		auto const count = std::find_if_not(rest.begin(), rest.end(), is_own) - rest.begin();
		auto const own = rest.first(static_cast<std::size_t>(count));
		rest = rest.subspan(own.size());
		batch[i].outcome = outcome_of(own, range_of(batch[i]));
		batch[i].took = {};
		for (auto const &step : own)
			batch[i].took = std::max<std::chrono::nanoseconds>(batch[i].took, step.ended - own.front().begun);
	}
	for (std::size_t i = planned + 1; i < batch.size(); ++i)
		batch[i].outcome = make_untried_error(m_name, batch[i].offset_bytes);
}

result<void> posix_block_device::check_end(transfer_direction way, byte_range const &whole)
{
	auto const fits = [&] {
		return whole.offset_bytes <= m_geometry.size_bytes &&
			whole.length_bytes <= m_geometry.size_bytes - whole.offset_bytes;
	};
	if (fits())
		return {};
	auto const facts = read_device_facts(m_buffered.fd.number(), m_name);
	if (!facts)
		return facts.failure();
	m_geometry.size_bytes = facts->geometry.size_bytes;
	if (fits())
		return {};
	auto const os_errno = way == transfer_direction::read ? 0 : ENOSPC;
	auto e = make_io_error(call_name(way), m_name, whole.offset_bytes, whole.length_bytes, os_errno);
	e.message = "beyond the end at " + std::to_string(m_geometry.size_bytes);
	return e;
}

/// Adds the steps of m_buffers, which are the transfer's.
result<void> posix_block_device::plan_steps(
	transfer_direction way, byte_range const &whole, std::size_t transfer)
{
	if (whole.length_bytes == 0)
		return {};
	if (auto end = check_end(way, whole); !end)
		return end;
	auto const add = [&](handle &through, byte_range const &part) {
		if (way == transfer_direction::write)
			through.is_dirty = true;
		clip_buffers(m_buffers, whole.offset_bytes, part, m_clipped);
		auto position = part.offset_bytes;
		for (std::span<iovec const> left(m_clipped); !left.empty();) {
			auto const some = left.first(std::min(left.size(), step_buffers_max));
			left = left.subspan(some.size());
			transfer_step step;
			step.fd = through.fd.number();
			step.way = way;
			step.position_bytes = position;
			step.transfer = transfer;
			m_steps.push_back(step);
			m_step_buffers.insert(m_step_buffers.end(), some.begin(), some.end());
			m_step_buffer_counts.push_back(some.size());
			for (auto const &buffer : some)
				position += buffer.iov_len;
		}
	};
	if (!m_direct.fd) {
		add(m_buffered, whole);
		return {};
	}
	for (auto const &part : plan_transfer(m_buffers, whole.offset_bytes, m_alignment, m_geometry.size_bytes))
		add(part.is_direct ? m_direct : m_buffered, part.device);
	return {};
}

void posix_block_device::perform_steps()
{
	// Only now does m_step_buffers stay where it is.
	std::span<iovec> rest(m_step_buffers);
	for (std::size_t i = 0; i < m_steps.size(); ++i) {
		m_steps[i].left = rest.first(m_step_buffer_counts[i]);
		rest = rest.subspan(m_step_buffer_counts[i]);
	}
	if (!m_ring || m_steps.size() < 2)
		return perform_blocking(m_steps);
	if (auto const used = perform_through(*m_ring, m_steps); !used) {
		auto e = used.failure();
		e.device = m_name;
		m_engines->refuse(e);
		m_ring.reset();
	}
}

/// What became of a transfer, by its steps.
result<void> posix_block_device::outcome_of(
	std::span<transfer_step const> steps, byte_range const &whole) const
{
	auto const is_not_done = [](transfer_step const &step) { return step.state != step_state::done; };
	if (std::none_of(steps.begin(), steps.end(), is_not_done))
		return {};
	auto const has_failed = [](transfer_step const &step) { return step.state == step_state::failed; };
	auto const failed = std::find_if(steps.begin(), steps.end(), has_failed);
	if (failed == steps.end())
		return make_untried_error(m_name, whole.offset_bytes);
	auto e = make_io_error(
		call_name(failed->way), m_name, whole.offset_bytes, whole.length_bytes, failed->os_errno);
	if (failed->position_bytes > whole.offset_bytes)
		e.message = "after " + std::to_string(failed->position_bytes - whole.offset_bytes) + " bytes";
	return e;
}

result<void> posix_block_device::flush()
{
	// The kernel reports a lost write once per descriptor and then answers success: so we remember.
	if (m_flush_failure)
		return *m_flush_failure;
	for (auto *through : {&m_buffered, &m_direct}) {
		if (!through->is_dirty)
			continue;
		int status = 0;
		do {
			status = ::fdatasync(through->fd.number());
		} while (status != 0 && errno == EINTR);
		if (status != 0) {
			m_flush_failure = make_system_error("fdatasync", m_name, errno);
			// The page cache goes on showing what it could not write: a hash of that would prove nothing.
			if (auto const kept = ::posix_fadvise(m_buffered.fd.number(), 0, 0, POSIX_FADV_DONTNEED);
				kept != 0)
				m_flush_failure->message = "and the page cache was not dropped: " + errno_name(kept);
			return *m_flush_failure;
		}
	}
	if (auto whole = check_not_shrunk(); !whole) {
		m_flush_failure = whole.failure();
		return whole;
	}
	m_buffered.is_dirty = false;
	m_direct.is_dirty = false;
	return {};
}

result<void> posix_block_device::forget_cached(std::uint64_t offset_bytes, std::uint64_t length_bytes)
{
	// The kernel drops whole folios only, and none that is half within. They are aligned to their size, which
	// is that of a huge page at most.
	constexpr std::uint64_t folio_bytes_max = 2 * 1024 * 1024;
	auto const begin = offset_bytes / folio_bytes_max * folio_bytes_max;
	auto const end = (offset_bytes + length_bytes + folio_bytes_max - 1) / folio_bytes_max * folio_bytes_max;
	auto const kept = ::posix_fadvise(m_buffered.fd.number(), static_cast<off_t>(begin),
		static_cast<off_t>(end - begin), POSIX_FADV_DONTNEED);
	if (kept != 0)
		return make_io_error("posix_fadvise", m_name, offset_bytes, length_bytes, kept);
	return {};
}

/// What was cut off took acknowledged writes with it, and a flush of the rest succeeds.
result<void> posix_block_device::check_not_shrunk() const
{
	auto const now = read_device_facts(m_buffered.fd.number(), m_name);
	if (!now)
		return now.failure();
	if (now->geometry.size_bytes >= m_geometry.size_bytes)
		return {};
	auto e = make_io_error(
		"fdatasync", m_name, now->geometry.size_bytes, m_geometry.size_bytes - now->geometry.size_bytes, 0);
	e.message = "it ends at " + std::to_string(now->geometry.size_bytes) + " now and ended at " +
		std::to_string(m_geometry.size_bytes) + " before";
	return e;
}

} // namespace ezio
