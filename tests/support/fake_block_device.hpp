#pragma once

#include "actors/core/block_device.hpp"
#include "tests/support/fault_plan.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ezio::test
{

/// Word by which injected errors are told from real ones in reports. Product code never looks at it.
inline constexpr char const *fault_mark = "injected fault";

/// The byte that a device holds at an offset before anyone wrote there: differs between neighbours, sectors
/// and megabytes.
std::byte pristine_byte(std::uint64_t offset_bytes);

/// The disk behind any number of handles: what it holds now, and what of it would survive a power cut.
/// Thread-safe.
class fake_disk
{
public:
	/// One transfer that reached the disk, failed ones included.
	struct transfer {
		device_call kind = device_call::read;
		std::uint64_t offset_bytes = 0;
		std::uint64_t length_bytes = 0;
		std::size_t buffers = 0;
	};

	fake_disk(std::string path, std::uint64_t size_bytes, std::shared_ptr<fault_plan> faults);

	std::string const &path() const { return m_path; }
	device_geometry const &geometry() const { return m_geometry; }
	fault_plan &faults() { return *m_faults; }
	std::shared_ptr<flush_history> const &flushes() const { return m_flushes; }

	/// What a reader would see now; around all faults.
	std::vector<std::byte> bytes(std::uint64_t offset_bytes, std::uint64_t length_bytes) const;
	/// Puts bytes on the disk, durably; around all faults.
	void put(std::uint64_t offset_bytes, std::vector<std::byte> const &bytes);
	/// Loses the unsynced writes that the fault plan's seed picks, each wholly or in part.
	void cut_power();
	std::vector<transfer> operations() const;
	void forget_operations();
	/// Of handles opened from then on. With more than 1 a batch is carried out from its last transfer to its
	/// first, and none beside a failed one is left out: the worst that a queue may do. Not while others use
	/// it.
	void set_queue_depth(std::size_t depth) { m_queue_depth = depth; }
	/// What each transfer of a queue says that it took.
	void set_took(std::chrono::nanoseconds took) { m_took = took; }
	std::chrono::nanoseconds took() const { return m_took; }
	std::size_t queue_depth() const { return m_queue_depth; }
	/// What its geometry tells from then on. Not while others use it.
	void set_rotational(bool is_rotational) { m_geometry.is_rotational = is_rotational; }
	void set_direct(bool is_direct) { m_geometry.is_direct = is_direct; }
	/// Handles open now.
	std::uint32_t open_handles() const;

	result<void> open();
	void close();
	result<void> read(std::span<read_buffer const> buffers, std::uint64_t offset_bytes);
	result<void> write(std::span<write_buffer const> buffers, std::uint64_t offset_bytes);
	result<void> flush();

private:
	struct unsynced_write {
		std::uint64_t offset_bytes = 0;
		std::vector<std::byte> bytes;
	};

	error injected(
		char const *operation, std::uint64_t offset_bytes, std::uint64_t length_bytes, int os_errno) const;

	std::string m_path;
	device_geometry m_geometry;
	std::shared_ptr<fault_plan> m_faults;
	std::shared_ptr<flush_history> m_flushes = std::make_shared<flush_history>();
	std::size_t m_queue_depth = 1;
	std::chrono::nanoseconds m_took{};
	mutable std::mutex m_mutex; ///< guards all below
	std::vector<std::byte> m_content;
	std::vector<std::byte> m_durable;
	std::vector<unsynced_write> m_unsynced;
	std::vector<transfer> m_operations;
	std::uint32_t m_open_handles = 0;
};

/// A block device in memory, at the product's own door.
class fake_block_device : public block_device
{
public:
	/// Opened by fake_device_claim only, which counts it.
	explicit fake_block_device(std::shared_ptr<fake_disk> disk) : m_disk(std::move(disk)) {}
	~fake_block_device() override { m_disk->close(); }

	device_geometry const &geometry() const override { return m_disk->geometry(); }
	std::string const &path() const override { return m_disk->path(); }
	result<void> read_at(std::span<read_buffer const> buffers, std::uint64_t offset_bytes) override
	{
		return m_disk->read(buffers, offset_bytes);
	}
	result<void> write_at(std::span<write_buffer const> buffers, std::uint64_t offset_bytes) override
	{
		return m_disk->write(buffers, offset_bytes);
	}
	result<void> flush() override { return m_disk->flush(); }
	std::size_t queue_depth() const override { return m_queue_depth; }
	void read_batch(std::span<device_read> batch) override;
	void write_batch(std::span<device_write> batch) override;

private:
	std::shared_ptr<fake_disk> m_disk;
	std::size_t m_queue_depth = m_disk->queue_depth();
};

/// A claim that opens handles on a fake disk.
class fake_device_claim : public device_claim
{
public:
	explicit fake_device_claim(
		std::shared_ptr<fake_disk> disk, device_access access = device_access::read_write)
		: device_claim(disk->flushes()), m_disk(std::move(disk)), m_access(access)
	{
		m_identity.device_number = std::hash<std::string>()(m_disk->path());
		m_identity.name = m_disk->path();
	}

	std::string const &path() const override { return m_disk->path(); }
	device_access access() const override { return m_access; }
	device_geometry const &geometry() const override { return m_disk->geometry(); }
	/// Each path is a device by itself.
	disk_identity const &disk() const override { return m_identity; }
	result<std::unique_ptr<block_device>> open_handle() override;

private:
	std::shared_ptr<fake_disk> m_disk;
	device_access m_access;
	disk_identity m_identity;
};

} // namespace ezio::test
